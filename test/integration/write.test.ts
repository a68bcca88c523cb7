// slow: slow peers, by every transport and in both roles
/** `await socket.write(data)`: it resolves when the system took every byte, and rejects when that cannot be any more. */
import { randomBytes } from 'node:crypto'
import { ConnectionClosedError, LimitError, PreparedMessage, type Socket } from '../../src/index.js'
import { ENDS, KIB, MIB, open, pause, stopAll } from '../helpers/liveness.js'

afterEach(stopAll)

/** What became of a promise by now. */
function watch(promise: Promise<void>): { state: string; error: unknown } {
  const watched = { state: 'waits', error: undefined as unknown }
  promise.then(
    () => (watched.state = 'taken'),
    (error: unknown) => {
      watched.state = 'rejected'
      watched.error = error
    },
  )
  return watched
}

describe.each(ENDS)('write: %s, %s', (...end) => {
  it('resolves for a peer that reads nothing while the system has room, and waits when it has none', async () => {
    const { socket, peer } = await open(end)
    await socket.write('small')
    expect(socket.bufferedAmount).toBe(0)
    const large = watch(socket.write(Buffer.alloc(4 * MIB)))
    const after = watch(socket.write('after'))
    await pause(100)
    expect([large.state, after.state]).toEqual(['waits', 'waits'])
    peer.readAll()
    await peer.frame(({ text }) => text === 'after')
    await pause(20)
    expect([large.state, after.state]).toEqual(['taken', 'taken'])
    expect(socket.bufferedAmount).toBe(0)
  })

  it('goes at the pace of the peer: never more than one message waits', async () => {
    const { socket, peer } = await open(end)
    const most: number[] = []
    peer.do({ do: 'read', bytes: 32 * KIB, everyMs: 5 })
    for (let i = 0; i < 8; i++) {
      const written = socket.write(Buffer.alloc(256 * KIB))
      most.push(socket.bufferedAmount)
      await written
      expect(socket.bufferedAmount).toBe(0)
    }
    expect(Math.max(...most)).toBeLessThan(257 * KIB)
    await socket.write('end')
    peer.readAll()
    await peer.frame(({ text }) => text === 'end')
    expect(peer.frames.filter(({ length }) => length === 256 * KIB)).toHaveLength(8)
  })

  it('a wait that times out or is aborted leaves the message: it still arrives', async () => {
    const { socket, peer } = await open(end)
    const aborter = new AbortController()
    const late = socket.write(Buffer.alloc(4 * MIB), { timeoutMs: 20 })
    const aborted = socket.write('aborted', { signal: aborter.signal })
    await expect(late).rejects.toMatchObject({ name: 'TimeoutError' })
    aborter.abort()
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    // Nothing is queued for a signal that is aborted already.
    await expect(socket.write('never', { signal: aborter.signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    peer.readAll()
    await socket.write('last')
    await peer.frame(({ text }) => text === 'last')
    expect(peer.frames.map(({ text }) => text)).toEqual([undefined, 'aborted', 'last'])
  })

  it('during and after closure it rejects with ConnectionClosedError, and nothing is queued', async () => {
    const { socket, peer, ended } = await open(end)
    peer.readAll()
    const before = socket.write('before')
    const closed = socket.close(4001, 'enough')
    await expect(socket.write('during')).rejects.toMatchObject({
      name: 'ConnectionClosedError',
      closeCode: 4001,
      reason: 'enough',
    })
    await before
    await closed
    await ended()
    await expect(socket.write('after')).rejects.toMatchObject({ closeCode: 4001 })
    // Over TLS the system took the bytes before the peer has decrypted them.
    await peer.frame(({ text }) => text === 'enough')
    expect(peer.frames.map(({ text }) => text)).toEqual(['before', 'enough'])
  })

  it('a write that waits when the connection is lost rejects with the end', async () => {
    const { socket, peer, ended } = await open(end)
    const writes = [Buffer.alloc(4 * MIB), 'behind it'].map((data) => watch(socket.write(data)))
    await pause(50)
    peer.do({ do: 'reset' })
    await ended()
    for (const { state, error } of writes) {
      expect(state).toBe('rejected')
      expect(error).toBeInstanceOf(ConnectionClosedError)
      expect(error).toMatchObject({ closeCode: 1006 })
    }
  })

  it('a peer that takes nothing is cut after sendTimeoutMs, and the write rejects', async () => {
    const { socket, ended } = await open(end, {}, { sendTimeoutMs: 150 })
    await expect(socket.write(Buffer.alloc(4 * MIB))).rejects.toMatchObject({
      name: 'ConnectionClosedError',
      closeCode: 1006,
    })
    expect((await ended()).unsentBytes).toBeGreaterThan(0)
  })

  it('terminate rejects the writes that wait', async () => {
    const { socket } = await open(end)
    const waiting = socket.write(Buffer.alloc(4 * MIB))
    socket.terminate()
    await expect(waiting).rejects.toMatchObject({ name: 'ConnectionClosedError', closeCode: 1006 })
  })

  it("slowConsumer 'drop': a message that is not taken rejects with LimitError, those before it arrive", async () => {
    const { socket, peer } = await open(
      end,
      {},
      { slowConsumer: 'drop', limits: { maxBufferedOutputBytes: 100 * KIB } },
    )
    const large = watch(socket.write(Buffer.alloc(2 * MIB)))
    await pause(50)
    const writes = Array.from({ length: 6 }, () => watch(socket.write(Buffer.alloc(64 * KIB))))
    await pause(10)
    expect(writes.map(({ state }) => state).slice(-3)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(writes.at(-1)?.error).toBeInstanceOf(LimitError)
    expect(writes.at(-1)?.error).toMatchObject({ code: 'HAWSER_SLOW_CONSUMER', limit: 100 * KIB })
    peer.readAll()
    await socket.drained()
    await socket.write('end')
    await peer.frame(({ text }) => text === 'end')
    expect(large.state).toBe('taken')
    const taken = writes.filter(({ state }) => state === 'taken')
    expect(peer.frames.filter(({ length }) => length === 64 * KIB)).toHaveLength(taken.length)
  })

  it("slowConsumer 'close': the message that fails the connection, and those that are dropped, reject with 1008", async () => {
    const { socket } = await open(end, {}, { limits: { maxBufferedOutputBytes: 100 * KIB } })
    const sent = Array.from({ length: 12 }, (_, i) =>
      watch(socket.write(Buffer.alloc(i === 0 ? 2 * MIB : 64 * KIB))),
    )
    await pause(20)
    expect(socket.readyState).not.toBe(1)
    const [first, second] = sent
    expect(first?.state).not.toBe('taken')
    expect(second?.error).toMatchObject({ name: 'ConnectionClosedError', closeCode: 1008 })
    expect(sent.at(-1)?.error).toMatchObject({ name: 'ConnectionClosedError', closeCode: 1008 })
  })

  it('resolves only after the compressed bytes were taken, also of a message behind it and of a prepared one', async () => {
    const { socket, peer } = await open(
      end,
      {},
      { perMessageDeflate: true, slowConsumer: 'buffer' },
      { deflate: true },
    )
    const noise = randomBytes(2 * MIB).toString('hex')
    const order: string[] = []
    const write = (name: string, data: string | PreparedMessage): Promise<unknown> =>
      socket.write(data).then(() => order.push(name))
    const all = [
      write('noise', noise),
      write('small', 'small'),
      write('prepared', new PreparedMessage(noise)),
      write('last', 'last'),
    ]
    await pause(300)
    expect(order).toEqual([])
    expect(socket.bufferedAmount).toBeGreaterThan(0)
    peer.readAll()
    await Promise.all(all)
    expect(order).toEqual(['noise', 'small', 'prepared', 'last'])
    expect(socket.bufferedAmount).toBe(0)
  })
})

describe('the arguments of write', () => {
  it('are checked at once, with name and value', async () => {
    const { socket } = await open(['client', 'by the handle'])
    const call =
      (...args: unknown[]) =>
      (): unknown =>
        (socket.write as unknown as (this: Socket, ...all: unknown[]) => unknown).apply(socket, args)
    expect(call(1)).toThrow('data must be')
    expect(call('a', { timeoutMs: -1 })).toThrow('timeoutMs must be a number from 0')
    expect(call('a', { timeout: 1 })).toThrow('did you mean timeoutMs?')
    expect(call('a', { signal: {} })).toThrow('signal must be an AbortSignal')
    expect(call('a', { compress: 1 })).toThrow('compress must be true or false, not 1')
    expect(call('a', () => undefined)).toThrow('there is no callback; the call returns a promise')
    expect(call('a', {}, () => undefined)).toThrow('write(data, options) takes no further argument')
    expect(call(new PreparedMessage('a'), { compress: false })).toThrow('send options belong to')
    await socket.write(new PreparedMessage('a'), { timeoutMs: 1000 })
    expect(socket.bufferedAmount).toBe(0)
  })
})
