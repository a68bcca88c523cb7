import { Keepalive } from '../../../src/connection/keepalive.js'

const bytes = (text: string): Buffer => Buffer.from(text)

describe('RFC 6455 5.5.2: when to ping, and when to give up', () => {
  test('a ping is due after intervalMs of silence, and the end timeoutMs later', () => {
    const keepalive = new Keepalive(30, 20, 100)
    expect(keepalive.lastAliveAt).toBe(100)
    expect(keepalive.deadline).toBe(130)
    expect(keepalive.check(129.9)).toBe('wait')
    expect(keepalive.check(130)).toBe('ping')
    expect(keepalive.deadline).toBe(150)
    expect(keepalive.check(149.9)).toBe('wait')
    expect(keepalive.check(150)).toBe('dead')
  })

  test('a late check pings late and then waits for the whole timeout', () => {
    const keepalive = new Keepalive(30, 20, 0)
    expect(keepalive.check(1000)).toBe('ping')
    expect(keepalive.check(1019)).toBe('wait')
    expect(keepalive.check(1020)).toBe('dead')
  })

  test('any bytes are a sign of life', () => {
    const keepalive = new Keepalive(30, 20, 0)
    expect(keepalive.check(30)).toBe('ping')
    keepalive.alive(49)
    expect(keepalive.lastAliveAt).toBe(49)
    expect(keepalive.deadline).toBe(79)
    expect(keepalive.check(60)).toBe('wait')
    expect(keepalive.check(79)).toBe('ping')
  })

  test('pings repeat after each interval, and the first unanswered one decides the end', () => {
    const keepalive = new Keepalive(10, 35, 0)
    expect(keepalive.check(10)).toBe('ping')
    expect(keepalive.deadline).toBe(20)
    expect(keepalive.check(20)).toBe('ping')
    expect(keepalive.check(30)).toBe('ping')
    expect(keepalive.check(40)).toBe('ping')
    expect(keepalive.deadline).toBe(45)
    expect(keepalive.check(44.9)).toBe('wait')
    expect(keepalive.check(45)).toBe('dead')
  })

  test('pings go on while this side does not read, and the peer is not given up', () => {
    const keepalive = new Keepalive(10, 15, 0)
    for (let now = 10; now < 100; now += 10) {
      expect(keepalive.check(now)).toBe('ping')
      keepalive.suspend()
    }
    expect(keepalive.check(100)).toBe('ping')
    expect(keepalive.check(110)).toBe('ping')
    expect(keepalive.check(115)).toBe('dead')
  })

  test('times may have fractions of a millisecond', () => {
    const keepalive = new Keepalive(0.5, 0.25, 0.125)
    expect(keepalive.check(0.624)).toBe('wait')
    expect(keepalive.check(0.625)).toBe('ping')
    expect(keepalive.check(0.874)).toBe('wait')
    expect(keepalive.check(0.875)).toBe('dead')
  })

  test('check never returns wait at its deadline', () => {
    for (let i = 0; i < 1000; i++) {
      const start = Math.random() * 1e9
      const keepalive = new Keepalive(Math.random() * 10, Math.random() * 10, start)
      for (let checks = 0, verdict = 'ping'; verdict !== 'dead' && checks < 10; checks++) {
        verdict = keepalive.check(keepalive.deadline)
        expect(verdict).toMatch(checks === 0 ? /^ping$/ : /^(ping|dead)$/)
      }
    }
  })

  test('Infinity turns pings or the timeout off', () => {
    const off = new Keepalive(Infinity, 20, 0)
    expect(off.deadline).toBe(Infinity)
    expect(off.check(Number.MAX_VALUE)).toBe('wait')
    const patient = new Keepalive(30, Infinity, 0)
    for (const at of [30, 60, 90]) {
      expect(patient.deadline).toBe(at)
      expect(patient.check(at)).toBe('ping')
    }
    patient.alive(1000)
    expect(patient.deadline).toBe(1030)
  })

  test('zero makes pings and the end due at once', () => {
    const keepalive = new Keepalive(0, 0, 5)
    expect(keepalive.check(5)).toBe('ping')
    expect(keepalive.check(5)).toBe('dead')
  })

  test('the clock may begin below zero', () => {
    const keepalive = new Keepalive(30, 20, -1000)
    expect(keepalive.check(-971)).toBe('wait')
    expect(keepalive.check(-970)).toBe('ping')
    expect(keepalive.check(-951)).toBe('wait')
    expect(keepalive.check(-950)).toBe('dead')
  })
})

describe('RFC 6455 5.5.3: the round trip', () => {
  test('rttMs is the time from a ping to the pong with its payload', () => {
    const keepalive = new Keepalive(30, 20, 0)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pingSent(bytes('a'), 10)
    keepalive.pongReceived(bytes('a'), 12.5)
    expect(keepalive.rttMs).toBe(2.5)
  })

  test('a pong that answers no ping changes nothing', () => {
    const keepalive = new Keepalive(30, 20, 0)
    keepalive.pongReceived(bytes(''), 1)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pingSent(bytes('a'), 10)
    keepalive.pongReceived(bytes('b'), 11)
    keepalive.pongReceived(bytes(''), 11)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pongReceived(bytes('a'), 13)
    keepalive.pongReceived(bytes('a'), 99)
    expect(keepalive.rttMs).toBe(3)
  })

  test('a pong received before the ping does not answer it, even with its payload', () => {
    const keepalive = new Keepalive(30, 20, 0)
    keepalive.pingSent(bytes('a'), 10)
    keepalive.pongReceived(bytes('a'), 9)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pongReceived(bytes('a'), 12)
    expect(keepalive.rttMs).toBe(2)
  })

  test.each([
    ['four bytes', Buffer.from([0xff, 0, 0, 1]), [bytes('a'), Buffer.from([0xff, 0, 0, 2]), Buffer.alloc(5)]],
    ['no bytes', bytes(''), [bytes('a'), Buffer.alloc(4)]],
    ['125 bytes', Buffer.alloc(125, 'p'), [Buffer.alloc(124, 'p'), Buffer.alloc(4, 'p')]],
  ])('a ping of %s is answered by the same bytes alone', (_, payload, others) => {
    const keepalive = new Keepalive(30, 20, 0)
    keepalive.pingSent(payload, 10)
    for (const other of others) keepalive.pongReceived(other, 11)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pongReceived(Buffer.from(payload), 12)
    expect(keepalive.rttMs).toBe(2)
  })

  test('a ping of the heartbeat is remembered without its Buffer', () => {
    const keepalive = new Keepalive(30, 20, 0)
    const payload = keepalive.nextPing()
    keepalive.pingSent(payload, 10)
    expect(Object.values(keepalive)).not.toContain(payload)
  })

  test('rttMs counts the last of several pings', () => {
    const keepalive = new Keepalive(30, 20, 0)
    keepalive.pingSent(bytes('a'), 10)
    keepalive.pingSent(bytes('b'), 20)
    keepalive.pongReceived(bytes('a'), 30)
    expect(keepalive.rttMs).toBeUndefined()
    keepalive.pongReceived(bytes('b'), 31)
    expect(keepalive.rttMs).toBe(11)
  })
})
