// slow: slow peers, by every transport and in both roles
/** docs/backpressure.md, of "Situations" the ends, and "Nothing received is lost". */
import { ENDS, gate, join, KIB, MIB, open, pause, stopAll, until } from '../helpers/liveness.js'

// Most of these tests wait most of the time: several at once, each with peers in processes of their own.
jest.setTimeout(60_000)
afterAll(stopAll)

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`)

describe.each(ENDS)('%s, %s', (...end) => {
  const [role] = end

  it.concurrent(
    'half-close: a FIN without a Close frame: queued messages leave, handlers run, and send takes nothing more',
    async () => {
      const handled: string[] = []
      const { opened, open: letGo } = gate()
      const { socket, peer, journal, ended } = await open(end, {
        onTextMessage: async (of, text) => {
          await opened
          handled.push(`${text} ${of.send('too late')}`)
        },
      })
      socket.send(Buffer.alloc(600 * KIB))
      socket.send('last')
      peer.sendTexts('1', '2', '3')
      peer.do({ do: 'fin' })
      await pause(150)
      peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 3 })
      await peer.frame(({ text }) => text === 'last')
      expect(socket.send('too late')).toBe(false)
      letGo()
      const info = await ended()
      expect(handled).toEqual(['1 false', '2 false', '3 false'])
      expect(info).toMatchObject({ code: 1006, wasClean: false, droppedMessages: 0, unsentBytes: 0 })
      expect(journal.lines.at(-1)).toMatch(/^closed 1006 unclean/)
      await peer.ended()
      expect(peer.frames.map(({ op, length }) => [op, length])).toEqual([
        [2, 600 * KIB],
        [1, 4],
      ])
    },
  )

  it.concurrent(
    'a FIN after the Close frame: everything queued before the answer still leaves, and the answer too',
    async () => {
      const { socket, peer, journal, ended } = await open(end, { onTextMessage: (_, text) => text })
      socket.send(Buffer.alloc(4 * MIB))
      peer.sendTexts('echo')
      peer.sendClose(1000)
      peer.do({ do: 'fin' })
      await pause(150)
      peer.readAll()
      expect(await peer.ended()).toMatchObject({ how: 'fin', inFrame: false })
      expect(peer.frames).toMatchObject([
        { op: 2, length: 4 * MIB },
        { op: 1, text: 'echo' },
        { op: 8, code: 1000 },
      ])
      expect(await ended()).toMatchObject({ code: 1000, wasClean: true, unsentBytes: 0, droppedMessages: 0 })
      expect(journal.lines).toEqual(['closed 1000 clean remote'])
    },
  )

  it.concurrent(
    'a FIN after the Close frame: small messages still leave when all arrives in one segment',
    async () => {
      for (let round = 0; round < 5; round++) {
        const { peer, ended } = await open(end, { onTextMessage: async (_, text) => (await pause(5), text) })
        peer.sendTexts('echo')
        peer.sendClose(1000)
        peer.do({ do: 'fin' })
        peer.readAll()
        expect(await peer.ended()).toMatchObject({ how: 'fin' })
        expect(peer.frames).toMatchObject([
          { op: 1, text: 'echo' },
          { op: 8, code: 1000 },
        ])
        expect(await ended()).toMatchObject({ wasClean: true })
      }
    },
  )

  it.concurrent('loss: messages that were received before it still reach their handlers', async () => {
    const handled: string[] = []
    const { opened, open: letGo } = gate()
    const { socket, peer, journal, ended } = await open(end, {
      onTextMessage: async (_, text) => {
        handled.push(text)
        await opened
      },
    })
    peer.sendTexts(...texts(40))
    await until('the first is handled', () => handled.length > 0)
    await pause(100)
    peer.do({ do: 'reset' })
    expect(await socket.closed).toMatchObject({ code: 1006, wasClean: false })
    expect(handled).toHaveLength(1)
    expect(socket.signal.aborted).toBe(true)
    letGo()
    const info = await ended()
    expect(handled).toEqual(texts(40))
    expect(info).toMatchObject({ code: 1006, wasClean: false, droppedMessages: 0 })
    expect(journal.lines.at(-1)).toMatch(/^closed 1006 unclean/)
  })

  it.concurrent(
    'Nothing received is lost 1: every message before the peer’s Close frame reaches its handler',
    async () => {
      const handled: string[] = []
      const { peer, journal, ended } = await open(end, {
        onTextMessage: async (_, text) => {
          if (handled.length % 50 === 0) await pause(1)
          else await Promise.resolve()
          handled.push(text)
        },
      })
      peer.readAll()
      peer.sendTexts(...texts(1_000))
      peer.sendClose(4000)
      const info = await ended()
      expect(handled).toEqual(texts(1_000))
      expect(info).toMatchObject({ code: 4000, wasClean: true, initiator: 'remote', droppedMessages: 0 })
      expect(journal.lines).toEqual(['closed 4000 clean remote'])
    },
  )

  it.concurrent('Nothing received is lost 1: also those that the peer sent after our own close', async () => {
    const handled: string[] = []
    const { socket, peer, ended } = await open(end, {
      onTextMessage: async (_, text) => {
        await pause(1)
        handled.push(text)
      },
    })
    peer.do({ do: 'answer', close: false })
    peer.readAll()
    peer.sendTexts(...texts(100))
    await until('some are handled', () => handled.length > 0)
    const closed = socket.close(1000)
    await peer.frame(({ op }) => op === 8)
    peer.do({ do: 'send', frames: [{ op: 1, text: 'behind' }] })
    peer.sendClose(1000)
    if (role === 'client') peer.do({ do: 'fin' })
    const info = await ended()
    expect(handled).toEqual([...texts(100), 'behind'])
    expect(info).toMatchObject({ code: 1000, wasClean: true, initiator: 'local', droppedMessages: 0 })
    expect(await closed).toEqual(info)
  })

  it.concurrent(
    'Nothing received is lost 2: the answer to a Close frame waits for the handlers and their replies',
    async () => {
      const states: string[] = []
      const { peer, socket, server } = await open(end, {
        onOpen: (of) => (role === 'server' ? join(of, 'room') : undefined),
        onTextMessage: async (of, text) => {
          await pause(60)
          states.push(`${of.readyState} ${server?.group('room').size ?? 0} ${of.send(`sent ${text}`)}`)
          return `reply ${text}`
        },
      })
      peer.readAll()
      peer.sendTexts('1', '2')
      peer.sendClose(1000)
      await until('the Close frame is read', () => socket.readyState === 2)
      await peer.ended()
      expect(states).toEqual(['2 0 true', '2 0 true'])
      expect(peer.frames.map(({ op, text }) => (op === 8 ? 'Close' : text))).toEqual([
        'sent 1',
        'reply 1',
        'sent 2',
        'reply 2',
        'Close',
      ])
    },
  )

  it.concurrent.each([
    ['a violation', 1002, (text: string) => text],
    [
      'a handler that throws',
      1011,
      (text: string): never => {
        throw new Error(text)
      },
    ],
  ])(
    'Nothing received is lost 3: after %s messages that wait are dropped, and counted',
    async (_, code, then) => {
      const handled: string[] = []
      const { opened, open: letGo } = gate()
      const { peer, ended } = await open(end, {
        onTextMessage: async (__, text) => {
          handled.push(text)
          await opened
          return then(text)
        },
      })
      peer.readAll()
      peer.sendTexts('1', '2', '3')
      if (code === 1002) peer.do({ do: 'raw', hex: '8b80000000008180000000' })
      await until('the first is handled', () => handled.length > 0)
      await pause(100)
      letGo()
      const info = await ended()
      expect(info).toMatchObject({ code, initiator: code === 1002 ? 'engine' : expect.any(String) })
      expect(info.droppedMessages).toBe(2)
      expect(handled).toEqual(['1'])
      expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code })
    },
  )

  it.concurrent(
    'Nothing received is lost 4: onClose is called once, last, after the handlers of all messages',
    async () => {
      const log: string[] = []
      const { peer, journal } = await open(end, {
        onTextMessage: async (_, text) => {
          await pause(100)
          log.push(text)
        },
        onClose: () => log.push('onClose'),
      })
      peer.sendTexts('1', '2', '3')
      await pause(100)
      peer.do({ do: 'reset' })
      await journal.until(/^closed/)
      await pause(150)
      expect(log).toEqual(['1', '2', '3', 'onClose'])
    },
  )

  it.concurrent(
    'Nothing received is lost 5: close(), socket.closed and onClose give the same CloseInfo, and stats() the sums',
    async () => {
      const { socket, peer, server, ended } = await open(
        end,
        { onTextMessage: () => new Promise(() => undefined) },
        { closeTimeoutMs: 200 },
      )
      peer.sendTexts('1', '2', '3')
      await pause(100)
      socket.send(Buffer.alloc(MIB))
      const before = socket.closed
      const info = await socket.close(1000, 'enough')
      // Neither read by the peer nor handled here: code and counts say so.
      expect(info).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
      expect(info.unsentBytes).toBeGreaterThan(MIB / 2)
      expect(await before).toEqual(info)
      expect(await socket.closed).toEqual(info)
      const told = await ended()
      expect(told).toEqual({ ...info, droppedMessages: 2 })
      if (server === null) return
      await until('it is counted', () => server.stats().closed === 1)
      expect(server.stats()).toMatchObject({ messagesDropped: 2, bytesUnsent: info.unsentBytes })
    },
  )
})
