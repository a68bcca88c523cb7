/** `flow.untilTaken`, over a real driver: a promise resolves when the last byte of its message left, and not before. */
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import type { MessageCodec } from '../../../src/extension/message-codec.js'
import { ConnectionClosedError } from '../../../src/errors.js'
import type { SlowConsumerPolicy } from '../../../src/socket/driver-owner.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { ControlledCodec } from '../../helpers/controlled-codec.js'
import { readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

const drivers: SocketDriver[] = []
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.terminate()
})

interface Written {
  readonly driver: SocketDriver
  readonly stream: MemoryDuplex
  /** The names of the messages whose promises are settled, in order; with `!` if rejected. */
  readonly settled: string[]
  /** Sends a message of some name and waits for it. */
  write(name: string, data?: string | Uint8Array): void
}

function make(
  codec: MessageCodec | null = null,
  limitOptions: LimitOptions = {},
  slowConsumer: SlowConsumerPolicy = 'close',
): Written {
  const stream = new MemoryDuplex()
  const limits = resolveLimits(limitOptions, SERVER_LIMITS)
  const settled: string[] = []
  const driver: SocketDriver = new SocketDriver(
    new StreamTransport(stream),
    { role: 'server', limits, codec },
    { limits, slowConsumer },
    {
      handleEvent: () => undefined,
      handleDrain: () => undefined,
      handleClosing: () => undefined,
      handleSendingOver: () => undefined,
      handleGone: () => driver.flow.failWaiters(new ConnectionClosedError(1006, '')),
    },
  )
  driver.start(new Uint8Array(0))
  drivers.push(driver)
  const write = (name: string, data: string | Uint8Array = name): void => {
    const { messagesSent } = driver.flow
    driver.send(data)
    if (driver.flow.messagesSent === messagesSent) return
    driver.flow.untilTaken({}).then(
      () => settled.push(name),
      () => settled.push(`${name}!`),
    )
  }
  return { driver, stream, settled, write }
}

describe('a message whose sender waits', () => {
  it('is taken when the code that sent it is done and the transport has room', async () => {
    const { write, settled, stream } = make()
    write('a')
    write('b')
    expect(stream.writes).toHaveLength(0)
    await nextTurn()
    expect(settled).toEqual(['a', 'b'])
    expect(stream.writes).toHaveLength(1)
  })

  it('is not taken while the stream holds it, and messages after it are taken one write later', async () => {
    const { write, settled, stream, driver } = make()
    stream.stick()
    write('a')
    await nextTurn()
    write('b')
    driver.ping('p')
    await nextTurn()
    expect(settled).toEqual([])
    stream.unstick()
    await nextTurn()
    expect(settled).toEqual(['a', 'b'])
    expect(readFrames(stream.written).frames.map((one) => one.text)).toEqual(['a', 'b', 'p'])
  })

  it('is taken while a later large message still waits: each slice of a stream is looked at', async () => {
    const { write, settled, stream } = make()
    const dones: (() => void)[] = []
    const keep = (done: () => void): void => void dones.push(done)
    stream._write = (_chunk, _encoding, done) => keep(done)
    stream._writev = (_chunks, done) => keep(done)
    write('small')
    await nextTurn()
    write('large', new Uint8Array(1024 * 1024))
    await nextTurn()
    // The large message is in the stream as well, whose first write is done alone.
    expect(stream.writableLength).toBeGreaterThan(0)
    dones.shift()?.()
    await nextTurn()
    expect(settled).toEqual(['small'])
    while (dones.length > 0) {
      expect(settled).toEqual(['small'])
      dones.shift()?.()
      await nextTurn()
    }
    expect(settled).toEqual(['small', 'large'])
  })

  it('is not taken when the stream fails, though the stream no longer counts its bytes', async () => {
    const { write, settled, stream } = make()
    const fail = (done: (error?: Error) => void): void => done(new Error('EPIPE'))
    stream._write = (_chunk, _encoding, done) => fail(done)
    stream._writev = (_chunks, done) => fail(done)
    write('lost')
    await nextTurn()
    await nextTurn()
    expect(settled).toEqual(['lost!'])
  })

  it('is not taken before it is compressed, and neither is the next one, which waits for the compression', async () => {
    const codec = new ControlledCodec({ thresholdBytes: 10, asyncDeflateBytes: 100 })
    const { write, settled, stream, driver } = make(codec)
    const run = 'x'.repeat(1000)
    write('first', run)
    write('short')
    write('second', run)
    write('last')
    driver.ping('passes')
    await nextTurn()
    expect(readFrames(stream.written).frames.map((one) => one.text)).toEqual(['passes'])
    expect(settled).toEqual([])
    codec.finishDeflate()
    await nextTurn()
    expect(settled).toEqual(['first', 'short'])
    stream.stick()
    codec.finishDeflate()
    await nextTurn()
    expect(settled).toEqual(['first', 'short'])
    stream.unstick()
    await nextTurn()
    expect(settled).toEqual(['first', 'short', 'second', 'last'])
  })

  it('counts what was sent before it while a compression runs, and nothing sent after it', async () => {
    const codec = new ControlledCodec({ thresholdBytes: 10, asyncDeflateBytes: 100 })
    const { write, settled, driver } = make(codec)
    const run = 'x'.repeat(1000)
    driver.send(run)
    for (let i = 0; i < 50; i++) driver.send(`${i}`)
    write('between')
    driver.send(run)
    write('after')
    codec.finishDeflate()
    await nextTurn()
    expect(settled).toEqual(['between'])
    codec.finishDeflate()
    await nextTurn()
    expect(settled).toEqual(['between', 'after'])
  })

  it('is given up when its output is dropped for a slow peer, and the Close frame after it does not count for it', async () => {
    const { write, settled, stream, driver } = make(null, { maxBufferedOutputBytes: 100 })
    stream.stick()
    write('held', 'x'.repeat(200))
    await nextTurn()
    for (let i = 0; driver.connection.isSendable; i++) write(`${i}`)
    stream.unstick()
    await nextTurn()
    expect(readFrames(stream.written).frames.map(({ opcode }) => opcode)).toEqual([1, 8])
    expect(settled).toContain('0!')
    expect(settled.filter((name) => !name.endsWith('!'))).toEqual([])
  })

  it('that is no longer waited for leaves nothing behind, and the next ones settle in order', async () => {
    const { write, settled, stream, driver } = make()
    stream.stick()
    driver.send('a')
    const given = driver.flow.untilTaken({ timeoutMs: 1 })
    write('b')
    await expect(given).rejects.toMatchObject({ name: 'TimeoutError' })
    stream.unstick()
    await nextTurn()
    expect(settled).toEqual(['b'])
    expect(readFrames(stream.written).frames.map((one) => one.text)).toEqual(['a', 'b'])
  })
})
