/** How a connection ends whose application or peer is not done: nothing that was received is lost for it. */
import type { CloseInfo } from '../../../src/connection/events.js'
import type { ServerOptions } from '../../../src/server/options.js'
import type { ServerSocket } from '../../../src/server/server-socket.js'
import type { WebSocketServer } from '../../../src/server/websocket-server.js'
import { closeFrame, frame, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type Line, type LineKind } from '../../helpers/model-line.js'

const KINDS: readonly LineKind[] = ['handle', 'stream', 'tls']
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await nextTurn()
}

interface Served {
  readonly server: WebSocketServer
  readonly socket: ServerSocket
  readonly line: Line
  readonly messages: string[]
  /** Codes of what `onError` was told. */
  readonly errors: string[]
  /** Of `onClose`; null before it. */
  info: CloseInfo | null
}

const running: WebSocketServer[] = []
afterEach(async () => {
  for (const server of running.splice(0)) server.terminate()
  await turns()
})

/**
 * A connection whose system takes so many bytes.
 * @param onMessage what the handler does besides writing the message down
 */
async function serve(
  kind: LineKind,
  systemBytes: number,
  onMessage: (socket: ServerSocket, message: string) => unknown = () => undefined,
  options: ServerOptions = {},
): Promise<Served> {
  const line = openLine(kind, systemBytes)
  const messages: string[] = []
  const errors: string[] = []
  let socket!: ServerSocket
  const server = serveLine(
    line,
    (made) => {
      socket = made
      socket.join('all')
      return {
        onMessage: (_, message) => {
          messages.push(message as string)
          return onMessage(socket, message as string) as undefined
        },
        onError: (_, error) => void errors.push((error as { code?: string }).code ?? error.message),
        onClose: (_, info) => {
          served.info = info
        },
      }
    },
    options,
  )
  running.push(server)
  const served: Served = { server, socket, line, messages, errors, info: null }
  await turns()
  return served
}

/** The peer reads what there is, until nothing more comes. */
async function readAll(line: Line): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let quiet = 0; quiet < 5;) {
    const part = line.system.read(Infinity)
    parts.push(Buffer.from(part))
    quiet = line.move() || part.length > 0 ? 0 : quiet + 1
    await nextTurn()
  }
  return Buffer.concat(parts)
}

describe.each(KINDS)('%s: output that is not sent at the end', (kind) => {
  it('is in unsentBytes and no longer in bufferedAmount', async () => {
    const served = await serve(kind, 1000)
    served.socket.send('x'.repeat(200_000))
    served.socket.send('y'.repeat(1000))
    await turns()
    served.socket.terminate()
    await turns()
    expect(served.socket.bufferedAmount).toBe(0)
    expect(served.info?.unsentBytes).toBeGreaterThanOrEqual(200_010 + 1004 - 1000)
  })

  it('is in unsentBytes also while a full inbox keeps the end from being pulled', async () => {
    const never = new Promise<undefined>(() => undefined)
    const served = await serve(kind, 1000, () => never, {
      closeTimeoutMs: 30,
      limits: { maxQueuedMessages: 2, highWaterMarkBytes: 0 },
    })
    served.line.deliver(Buffer.concat(Array.from({ length: 20 }, (_, i) => text(`${i}`))))
    await turns()
    served.socket.send('x'.repeat(100_000))
    served.socket.send('y'.repeat(50_000))
    await turns()
    served.line.reset()
    const info = await served.socket.closed
    expect(info.unsentBytes).toBeGreaterThanOrEqual(100_010 + 50_004 - 1000)
    // The end is told when closeTimeoutMs is over: later where the event loop was blocked.
    while (served.info === null) await nextTurn()
    expect(served.info.unsentBytes).toBe(info.unsentBytes)
    expect(served.info.droppedMessages).toBe(19)
  })
})

describe.each(KINDS)('%s: a FIN without a Close frame, while output waits', (kind) => {
  it('takes the connection out of its groups, takes nothing more, and lets the output leave', async () => {
    const served = await serve(kind, 1000)
    const { server, socket, line } = served
    socket.send('x'.repeat(100_000))
    await turns()
    expect(server.group('all').size).toBe(1)
    line.deliverEnd()
    await turns()
    expect([server.group('all').size, socket.send('late'), served.info]).toEqual([0, false, null])
    const { frames, rest } = readFrames(await readAll(line))
    expect([frames.map((one) => one.payload.length), rest.length]).toEqual([[100_000], 0])
    expect(served.info).toMatchObject({ code: 1006, wasClean: false, unsentBytes: 0 })
  })
})

describe.each(KINDS)('%s: an application that pauses', (kind) => {
  const ENDS: Record<string, (served: Served) => void> = {
    'close()': ({ socket, line }) => {
      void socket.close(1000)
      line.deliver(closeFrame(1000, '', { key: KEY }))
    },
    'a loss': ({ line }) => {
      line.reset()
    },
  }

  it.each(Object.keys(ENDS))(
    'gets the messages that were received before %s, and then onClose',
    async (name) => {
      let release = (): void => undefined
      const first = new Promise<undefined>((resolve) => {
        release = () => resolve(undefined)
      })
      const served = await serve(kind, 1000, () => first)
      served.line.deliver(Buffer.concat([text('one'), text('two'), text('three')]))
      await turns()
      served.socket.pause()
      release()
      await turns()
      expect(served.messages).toEqual(['one'])
      ENDS[name]!(served)
      await turns()
      await readAll(served.line)
      served.line.deliverEnd()
      await turns()
      expect(served.messages).toEqual(['one', 'two', 'three'])
      expect(served.info?.droppedMessages).toBe(0)
    },
  )

  it('does not prevent onClose by pausing after the end', async () => {
    let release = (): void => undefined
    const first = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined)
    })
    const served = await serve(kind, 1000, () => first)
    served.line.deliver(Buffer.concat([text('one'), text('two')]))
    await turns()
    served.line.reset()
    await turns()
    served.socket.pause()
    release()
    await turns()
    expect(served.messages).toEqual(['one', 'two'])
    expect(served.info).toMatchObject({ code: 1006, droppedMessages: 0 })
  })
})

describe.each(KINDS)('RFC 6455 7.1.7: %s: a limit that is exceeded while the inbox is full', (kind) => {
  it('is reported to onError at once, and waiting messages are dropped', async () => {
    let release = (): void => undefined
    const first = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined)
    })
    const served = await serve(kind, 1000, () => first, {
      limits: { maxQueuedMessages: 4, maxBufferedOutputBytes: 1000, highWaterMarkBytes: 0 },
    })
    served.line.deliver(Buffer.concat(Array.from({ length: 20 }, (_, i) => text(`${i}`))))
    await turns()
    for (let i = 0; i < 4; i++) served.socket.send('x'.repeat(2000))
    await turns()
    expect(served.errors).toEqual(['HAWSER_SLOW_CONSUMER'])
    release()
    await turns()
    expect(served.messages).toEqual(['0'])
    const { frames } = readFrames(await readAll(served.line))
    expect(frames.at(-1)).toMatchObject({ opcode: OP.CLOSE, closeCode: 1008 })
    served.line.deliverEnd()
    await turns()
    expect(served.info).toMatchObject({ code: 1008, droppedMessages: 4 })
  })
})

describe.each(KINDS)('%s: several reply streams', (kind) => {
  it('share the room for output, and none of them closes the connection as a slow consumer', async () => {
    async function* parts(): AsyncGenerator<string> {
      for (let i = 0; i < 5; i++) {
        await nextTurn()
        yield 'x'.repeat(20_000)
      }
    }
    const served = await serve(kind, 1000, () => parts(), {
      limits: { maxBufferedOutputBytes: 30_000, highWaterMarkBytes: 10_000 },
    })
    served.line.deliver(Buffer.concat(Array.from({ length: 10 }, (_, i) => text(`${i}`))))
    let most = 0
    let byteCount = 0
    for (let quiet = 0; quiet < 20;) {
      most = Math.max(most, served.socket.bufferedAmount)
      const part = served.line.system.read(Infinity)
      byteCount += part.length
      quiet = served.line.move() || part.length > 0 ? 0 : quiet + 1
      await nextTurn()
    }
    expect(served.info).toBeNull()
    expect(byteCount).toBe(10 * 5 * 20_004)
    // One part above the mark, and no more.
    expect(most).toBeLessThanOrEqual(10_000 + 20_004)
  })
})
