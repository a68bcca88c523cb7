/** Replies that come in parts, at the end of their connection: told once, and never asked again. */
import type { ServerOptions } from '../../../src/server/options.js'
import type { ServerSocket } from '../../../src/server/server-socket.js'
import type { WebSocketServer } from '../../../src/server/websocket-server.js'
import { closeFrame, frame, KEY, OP } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type Line } from '../../helpers/model-line.js'

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await nextTurn()
}

/** An iterator that writes down what it is asked for. */
class Parts implements AsyncIterableIterator<string> {
  readonly asked: string[] = []
  private readonly part: () => Promise<IteratorResult<string>>

  constructor(part: () => Promise<IteratorResult<string>>) {
    this.part = part
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<string>> {
    this.asked.push('next')
    return this.part()
  }

  return(): Promise<IteratorResult<string>> {
    this.asked.push('return')
    return Promise.resolve({ done: true, value: undefined })
  }
}

interface Served {
  readonly server: WebSocketServer
  readonly socket: ServerSocket
  readonly line: Line
  readonly closed: () => boolean
}

const running: WebSocketServer[] = []
afterEach(async () => {
  for (const server of running.splice(0)) server.terminate()
  await turns()
})

/** A connection whose peer takes 1,000 bytes and no more, and that was asked for these parts. */
async function serveParts(parts: Parts, options: ServerOptions = {}): Promise<Served> {
  const line = openLine('handle', 1000)
  let socket!: ServerSocket
  let isClosed = false
  const server = serveLine(
    line,
    (made) => {
      socket = made
      return {
        onMessage: () => parts,
        onClose: () => {
          isClosed = true
        },
      }
    },
    { limits: { highWaterMarkBytes: 1000, closeTimeoutMs: 50 }, ...options },
  )
  running.push(server)
  line.deliver(frame({ opcode: OP.TEXT, payload: 'go', key: KEY }))
  await turns()
  return { server, socket, line, closed: () => isClosed }
}

const large = (): Promise<IteratorResult<string>> =>
  Promise.resolve({ done: false, value: 'x'.repeat(10_000) })
const never = (): Promise<IteratorResult<string>> => new Promise(() => undefined)

const ENDS: Record<string, (served: Served) => void> = {
  'close()': ({ socket }) => void socket.close(1000),
  'terminate()': ({ socket }) => {
    socket.terminate()
  },
  'a loss': ({ line }) => {
    line.reset()
  },
  'a violation': ({ line }) => {
    line.deliver(frame({ opcode: 3, key: KEY }))
  },
  'a FIN': ({ line }) => {
    line.deliverEnd()
  },
}

describe.each(Object.keys(ENDS))('a reply stream, and %s', (name) => {
  const end = ENDS[name] as (served: Served) => void

  it('gets one return() while it waits for room, and is not asked for a part after it', async () => {
    const parts = new Parts(large)
    const served = await serveParts(parts)
    const before = parts.asked.length
    expect(parts.asked).toEqual(Array.from({ length: before }, () => 'next'))
    end(served)
    await turns()
    served.line.system.read(Infinity)
    served.line.move()
    await turns()
    expect(parts.asked.slice(before)).toEqual(['return'])
  })

  it('gets one return() while it makes a part that never comes', async () => {
    const parts = new Parts(never)
    const served = await serveParts(parts)
    end(served)
    await turns()
    expect(parts.asked).toEqual(['next', 'return'])
  })
})

describe('a reply stream, and the Close frame of the peer', () => {
  it('goes on until closeTimeoutMs, then gets one return(), and onClose is called', async () => {
    const parts = new Parts(never)
    const served = await serveParts(parts)
    served.line.deliver(closeFrame(1000, '', { key: KEY }))
    await turns()
    expect(parts.asked).toEqual(['next'])
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(parts.asked).toEqual(['next', 'return'])
    served.line.deliverEnd()
    await turns()
    expect(served.closed()).toBe(true)
    expect(parts.asked).toEqual(['next', 'return'])
  })
})
