/** What keeps messages for a client that reads one by one, over a real driver and a stream in memory. */
import { MessageReader } from '../../../src/client/message-reader.js'
import type { ConnectionEvent } from '../../../src/connection/events.js'
import { ConnectionClosedError } from '../../../src/errors.js'
import { CLIENT_LIMITS, resolveLimits, type LimitOptions } from '../../../src/limits.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { closeFrame, frame, OP, readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

interface Read {
  readonly reader: MessageReader
  readonly driver: SocketDriver
  readonly stream: MemoryDuplex
}

const drivers: SocketDriver[] = []
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.terminate()
})

function read(limitOptions: LimitOptions = {}): Read {
  const stream = new MemoryDuplex()
  const limits = resolveLimits(limitOptions, CLIENT_LIMITS)
  const driver = new SocketDriver(
    new StreamTransport(stream),
    { role: 'client', limits },
    { limits, slowConsumer: 'close' },
    {
      handleEvent: (event: ConnectionEvent) => reader.handleEvent(event),
      handleDrain: () => reader.handleDrain(),
      handleClosing: () => undefined,
      handleSendingOver: () => reader.handleSendingOver(),
      handleGone: () => undefined,
    },
  )
  const reader: MessageReader = new MessageReader(driver, limits)
  driver.start(new Uint8Array(0))
  drivers.push(driver)
  return { reader, driver, stream }
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })

/** Whether a promise has settled by now. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const marker = {}
  await nextTurn()
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(marker)])) === marker
}

describe('receive', () => {
  it('returns waiting messages in order and with their type', async () => {
    const { reader, stream } = read()
    stream.deliver(text('one'), frame({ opcode: OP.BINARY, payload: [1, 2] }), text(''))
    await nextTurn()
    await expect(reader.receive({})).resolves.toBe('one')
    await expect(reader.receive({})).resolves.toEqual(Buffer.from([1, 2]))
    await expect(reader.receive({})).resolves.toBe('')
  })

  it('waits for the next message, and the first caller gets the first', async () => {
    const { reader, stream } = read()
    const waits = [reader.receive({}), reader.receive({}), reader.receive({})]
    expect(await isPending(waits[0] as Promise<unknown>)).toBe(true)
    stream.deliver(text('a'), text('b'))
    await expect(Promise.all(waits.slice(0, 2))).resolves.toEqual(['a', 'b'])
    expect(await isPending(waits[2] as Promise<unknown>)).toBe(true)
    stream.deliver(text('c'))
    await expect(waits[2]).resolves.toBe('c')
  })

  it('leaves a late message to the next call when one gives up by time or by signal', async () => {
    const { reader, stream } = read()
    await expect(reader.receive({ timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const controller = new AbortController()
    const aborted = reader.receive({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await expect(reader.receive({ signal: controller.signal })).rejects.toThrow('enough')
    stream.deliver(text('late'))
    await expect(reader.receive({})).resolves.toBe('late')
  })

  it('takes no message when the signal is already aborted', async () => {
    const { reader, stream } = read()
    stream.deliver(text('kept'))
    await nextTurn()
    await expect(reader.receive({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    await expect(reader.receive({})).resolves.toBe('kept')
  })

  it.each<readonly [options: object, message: string]>([
    [{ timeoutMs: -1 }, 'timeoutMs'],
    [{ timeoutMs: 'soon' }, 'timeoutMs'],
    [{ signal: {} }, 'signal'],
    [{ timeout: 5 }, 'timeout'],
  ])('refuses wrong options and takes no message for them: %j', async (options, message) => {
    const { reader, stream } = read()
    stream.deliver(text('kept'))
    await nextTurn()
    await expect(reader.receive(options)).rejects.toThrow(message)
    await expect(reader.receive({})).resolves.toBe('kept')
  })
})

describe('the end of the connection', () => {
  it('is reported after the messages before it, with code and reason, at each call', async () => {
    // The stream in memory does not say that its own side has ended: the time for that runs out.
    const { reader, stream } = read({ closeTimeoutMs: 50 })
    stream.deliver(text('last'), closeFrame(4001, 'so long'))
    await nextTurn()
    stream.push(null)
    await expect(reader.receive({})).resolves.toBe('last')
    for (let i = 0; i < 2; i++) {
      const error: unknown = await reader.receive({}).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(ConnectionClosedError)
      expect(error).toMatchObject({ closeCode: 4001, reason: 'so long' })
      expect((error as Error).cause).toBeUndefined()
    }
  })

  it('rejects all waiting calls, with the error as the cause', async () => {
    const { reader, stream } = read()
    const waits = [reader.receive({}), reader.receive({})]
    stream.deliver(frame({ opcode: 3 }))
    stream.push(null)
    for (const wait of waits) {
      await expect(wait).rejects.toMatchObject({
        code: 'HAWSER_CONNECTION_CLOSED',
        cause: { code: 'HAWSER_RESERVED_OPCODE' },
      })
    }
  })

  it('is 1006 when the stream is lost, with its error as the cause', async () => {
    const { reader, stream } = read()
    const wait = reader.receive({})
    stream.destroy(new Error('the cable was cut'))
    await expect(wait).rejects.toMatchObject({
      closeCode: 1006,
      cause: { code: 'HAWSER_TRANSPORT', message: 'the cable was cut' },
    })
  })
})

describe('a queue that is not read', () => {
  /** A peer that sends without end, until reading stops. */
  async function untilStopped({ stream }: Read, source: () => Uint8Array): Promise<void> {
    stream.supply(source)
    for (let last = -1; last !== stream.suppliedBytes;) {
      last = stream.suppliedBytes
      for (let i = 0; i < 20; i++) await nextTurn()
    }
  }

  it.each<readonly [name: string, limits: LimitOptions, most: number]>([
    ['messages', { maxQueuedMessages: 10 }, 200_000],
    ['bytes', { maxQueuedBytes: 20_000, maxQueuedMessages: Infinity }, 250_000],
  ])('stops the reading by its number of %s, and goes on as it is read', async (_name, limits, most) => {
    const one = read(limits)
    let count = 0
    await untilStopped(one, () => Buffer.concat([text(`${count++} `.padEnd(1_000, 'x'))]))
    // The queue, and what the stream reads ahead.
    expect(one.stream.suppliedBytes).toBeLessThan(most)
    const supplied = one.stream.suppliedBytes
    for (let i = 0; i < 2_000; i++) {
      await expect(one.reader.receive({})).resolves.toMatch(new RegExp(`^${String(i)} `))
    }
    expect(one.stream.suppliedBytes).toBeGreaterThan(supplied)
  })

  it('delays neither pings nor sent messages', async () => {
    const { stream, driver, reader } = read({ maxQueuedMessages: 3 })
    stream.deliver(text('a'), text('b'), frame({ opcode: OP.PING, payload: 'still there?' }))
    await nextTurn()
    driver.send('yes')
    await nextTurn()
    const sent = readFrames(stream.written).frames.map(({ opcode, text: said }) => [opcode, said])
    expect(sent).toEqual([
      [OP.PONG, 'still there?'],
      [OP.TEXT, 'yes'],
    ])
    await expect(reader.receive({})).resolves.toBe('a')
  })
})
