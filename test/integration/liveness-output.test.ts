// slow: slow peers, by every transport and in both roles
/** docs/backpressure.md, "Admission", and of "Situations" what is on its way. */
import { randomBytes } from 'node:crypto'
import { ENDS, KIB, MIB, open, pause, stopAll, until } from '../helpers/liveness.js'

afterEach(stopAll)

describe.each(ENDS)('%s, %s', (...end) => {
  it('large message on its way: the next message is taken, and all arrive in order', async () => {
    const { socket, peer, journal, ended } = await open(end)
    socket.send(Buffer.alloc(8 * MIB))
    expect(socket.send('ready')).toBe(false)
    await pause(50)
    socket.send('steady')
    expect(socket.bufferedAmount).toBeGreaterThan(7 * MIB)
    expect(socket.readyState).toBe(1)
    peer.readAll()
    await peer.frame(({ text }) => text === 'steady')
    void socket.close(1000)
    await ended()
    expect(journal.lines).toEqual(['closed 1000 clean local'])
    expect(peer.frames).toMatchObject([
      { op: 2, length: 8 * MIB },
      { op: 1, text: 'ready' },
      { op: 1, text: 'steady' },
      { op: 8, code: 1000 },
    ])
  })

  it('large message on its way: maxBufferedOutputBytes counts what waits after it, and one more is taken', async () => {
    const block = Buffer.alloc(64 * KIB)
    const { socket, peer } = await open(
      end,
      {},
      {
        slowConsumer: 'drop',
        limits: { maxBufferedOutputBytes: 200 * KIB },
      },
    )
    socket.send(Buffer.alloc(2 * MIB))
    await pause(50)
    const amounts = Array.from({ length: 8 }, () => (socket.send(block), socket.bufferedAmount))
    // Of these four are taken: the last one while 192 KiB wait.
    expect(amounts[3]! - amounts[0]!).toBe(3 * (amounts[1]! - amounts[0]!))
    expect(amounts.slice(3)).toEqual(Array.from({ length: 5 }, () => amounts[3]))
    peer.readAll()
    await socket.drained()
    socket.send('end')
    await peer.frame(({ text }) => text === 'end')
    expect(peer.frames.map(({ length }) => length)).toEqual([2 * MIB, ...Array(4).fill(64 * KIB), 3])
  })

  it('large message on its way: drained resolves when a small message has left too', async () => {
    const { socket, peer } = await open(end)
    socket.send(Buffer.alloc(MIB))
    socket.send('x')
    const drained = socket.drained()
    await pause(50)
    expect(socket.bufferedAmount).toBeGreaterThan(64 * KIB)
    peer.readAll()
    await drained
    expect(socket.bufferedAmount).toBeLessThanOrEqual(64 * KIB)
  })

  it('compression under way: the message is counted, and later messages wait in order', async () => {
    const { socket, peer } = await open(end, {}, { perMessageDeflate: true }, { deflate: true })
    peer.readAll()
    const bytes = randomBytes(512 * KIB).toString('hex')
    expect(socket.send(bytes)).toBe(false)
    expect(socket.bufferedAmount).toBeGreaterThanOrEqual(MIB)
    socket.send('after', { compress: false })
    expect(socket.bufferedAmount).toBeGreaterThan(MIB)
    await peer.frame(({ text }) => text === 'after')
    expect(peer.frames).toMatchObject([
      { op: 1, rsv1: true },
      { op: 1, rsv1: false, text: 'after' },
    ])
    // Hexadecimal digits of noise shrink to little more than half.
    expect(peer.frames[0]!.length).toBeLessThan(700 * KIB)
    await until('nothing waits', () => socket.bufferedAmount === 0)
  })

  it('compression under way: drop leaves out messages above the limit, and memory stays bounded', async () => {
    const { socket, peer, journal } = await open(
      end,
      {},
      { perMessageDeflate: true, slowConsumer: 'drop' },
      { deflate: true },
    )
    const bytes = randomBytes(256 * KIB)
    let most = 0
    for (let i = 0; i < 200; i++) {
      socket.send(bytes)
      most = Math.max(most, socket.bufferedAmount)
      if (i % 10 === 0) await pause(1)
    }
    expect(most).toBeGreaterThan(MIB)
    expect(most).toBeLessThanOrEqual(MIB + 2 * (bytes.length + KIB) + 64 * KIB)
    expect(socket.readyState).toBe(1)
    peer.readAll()
    await socket.drained()
    socket.send('last')
    await peer.frame(({ op }) => op === 1)
    expect(peer.frames.length).toBeGreaterThan(4)
    expect(peer.frames.length).toBeLessThan(12)
    expect(journal.lines).toEqual([])
  })

  it('compression under way: close fails the connection with 1008, and drops the waiting messages', async () => {
    const { socket, peer, journal, ended } = await open(
      end,
      {},
      { perMessageDeflate: true, closeTimeoutMs: 500 },
      { deflate: true },
    )
    const bytes = randomBytes(256 * KIB)
    let sent = 0
    while (socket.readyState === 1 && sent < 200)
      sent += Number(socket.send(bytes) || socket.readyState === 1)
    expect(sent).toBeLessThan(12)
    peer.readAll()
    const info = await ended()
    expect(journal.lines[0]).toBe('error HAWSER_SLOW_CONSUMER')
    expect(info).toMatchObject({ code: 1008, initiator: 'engine' })
    expect(info.unsentBytes).toBeGreaterThan(MIB / 2)
    await peer.ended()
    expect(peer.frames.at(-1)).toMatchObject({ op: 8, code: 1008 })
    expect(peer.frames.length).toBeLessThan(6)
  })
})

describe.each(ENDS)('Admission: %s, %s', (...end) => {
  const limits = { maxBufferedOutputBytes: 200 * KIB }
  const large = Buffer.alloc(512 * KIB)
  const block = Buffer.alloc(64 * KIB)

  it("slowConsumer 'close': the next message is not taken, the waiting ones are dropped, and the code is 1008", async () => {
    const { socket, peer, journal, ended } = await open(end, {}, { limits, closeTimeoutMs: 1_000 })
    socket.send(large)
    for (let i = 0; i < 4; i++) socket.send(block)
    expect(socket.readyState).toBe(1)
    expect(socket.send(block)).toBe(false)
    expect(socket.readyState).toBe(2)
    // Nothing runs inside the call that caused it.
    expect(journal.lines).toEqual([])
    peer.readAll()
    const info = await ended()
    expect(journal.lines[0]).toBe('error HAWSER_SLOW_CONSUMER')
    expect(info).toMatchObject({ code: 1008, initiator: 'engine' })
    expect(info.unsentBytes).toBeGreaterThanOrEqual(4 * block.length)
    expect(info.unsentBytes).toBeLessThan(4 * (block.length + 14) + 128)
    await peer.ended()
    expect(peer.frames.map(({ op, length }) => (op === 8 ? 'Close' : length))).toEqual([512 * KIB, 'Close'])
    expect(peer.frames[1]!.code).toBe(1008)
  })

  it("slowConsumer 'drop': the next message is not taken, and the connection lives", async () => {
    const { socket, peer, journal } = await open(end, {}, { limits, slowConsumer: 'drop' })
    socket.send(large)
    for (let i = 0; i < 10; i++) expect(socket.send(block)).toBe(false)
    await pause(20)
    expect(socket.readyState).toBe(1)
    peer.readAll()
    await socket.drained()
    expect(socket.send('on')).toBe(true)
    await peer.frame(({ text }) => text === 'on')
    expect(peer.frames.map(({ length }) => length)).toEqual([512 * KIB, ...Array(4).fill(64 * KIB), 2])
    expect(journal.lines).toEqual([])
  })

  it("slowConsumer 'buffer': the next message is taken, however many bytes wait", async () => {
    const { socket, peer, journal } = await open(end, {}, { limits, slowConsumer: 'buffer' })
    socket.send(large)
    for (let i = 0; i < 30; i++) socket.send(block)
    expect(socket.bufferedAmount).toBeGreaterThan(30 * block.length)
    peer.readAll()
    await socket.drained()
    expect(socket.send('on')).toBe(true)
    await peer.frame(({ text }) => text === 'on')
    expect(peer.frames.map(({ length }) => length)).toEqual([512 * KIB, ...Array(30).fill(64 * KIB), 2])
    expect(journal.lines).toEqual([])
  })

  it('a reply that a handler returned waits for room, and the handler counts as running until then', async () => {
    const handled: string[] = []
    const lengthOf = (text: string): number => 64 * KIB + Number(text)
    const { socket, peer } = await open(end, {
      onTextMessage: (_, text) => {
        handled.push(text)
        return 'r'.repeat(lengthOf(text))
      },
    })
    socket.send(large)
    await pause(50)
    const waiting = socket.bufferedAmount
    peer.sendTexts('1', '2', '3')
    await until('the first is handled', () => handled.length > 0)
    await pause(100)
    expect(handled).toEqual(['1'])
    // Not sent yet: it waits with its handler.
    expect(socket.bufferedAmount).toBeLessThanOrEqual(waiting)
    peer.readAll()
    await peer.frame(({ length }) => length === lengthOf('3'))
    expect(peer.frames.slice(1).map(({ length }) => length)).toEqual(['1', '2', '3'].map(lengthOf))
  })

  it('parts of a reply stream wait for room as well', async () => {
    let made = 0
    const parts = async function* (): AsyncGenerator<Buffer> {
      for (; made < 40; made++) yield block
    }
    const { socket, peer } = await open(end, { onTextMessage: () => parts() })
    peer.sendTexts('go')
    await until('the first parts', () => made > 0)
    await pause(150)
    expect(made).toBeLessThan(8)
    expect(socket.bufferedAmount).toBeLessThanOrEqual(64 * KIB + 2 * (block.length + 14))
    peer.readAll()
    await until('all frames are there', () => peer.frames.length === 40)
    expect(made).toBe(40)
  })
})
