/** One AbortSignal for many clients and waits: Node warns of a leak once a signal has more than ten listeners. */
import { getEventListeners } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { serveDirectory } from '../../src/endpoints/index.js'
import { connect, WebSocketServer, type ClientSocket } from '../../src/index.js'
import { WebSocketStream } from '../../src/whatwg/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const MANY = 12

const sockets: ClientSocket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
  stopServing()
})

const many = <T>(make: () => T | PromiseLike<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: MANY }, async () => await make()))

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('one signal for many', () => {
  it('attempts to connect has one listener, and none afterwards', async () => {
    const { url } = await serve({})
    const { signal } = new AbortController()
    const attempts = many(() => connect(url, { signal }))
    expect(listeners(signal)).toBe(1)
    sockets.push(...(await attempts))
    expect(listeners(signal)).toBe(0)
  })

  it('clients that reconnect has one listener, and ends them all', async () => {
    const server = await serve({ onOpen: (socket) => void socket.close(1012) })
    const aborter = new AbortController()
    const { signal } = aborter
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000, jitter: 0 }
    const clients = await many(() => connect(server.url, { signal, reconnect }))
    sockets.push(...clients)
    expect(listeners(signal)).toBe(1)
    while (clients.some(({ readyState }) => readyState !== 0)) await new Promise(setImmediate)
    aborter.abort()
    expect(clients.map(({ readyState }) => readyState)).toEqual(clients.map(() => 3))
    expect(listeners(signal)).toBe(0)
  })

  it('waits for messages, for room and for the end has one listener, and ends them all', async () => {
    const { url } = await serve({})
    const aborter = new AbortController()
    const { signal } = aborter
    sockets.push(...(await many(() => connect(url))))
    const waits = sockets.flatMap((socket) => [socket.receive({ signal }), socket.receiveText({ signal })])
    const [again] = await many(() => connect(url, { reconnect: true }))
    sockets.push(again as ClientSocket)
    for (let i = 0; i < MANY; i++) {
      waits.push((again as ClientSocket).receive({ signal, timeoutMs: 60_000 }))
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(listeners(signal)).toBe(1)
    aborter.abort(new Error('enough'))
    for (const result of await Promise.allSettled(waits)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'enough' } })
    }
    expect(listeners(signal)).toBe(0)
  })

  it('WebSocketStreams has one listener', async () => {
    const { url } = await serve({})
    const { signal } = new AbortController()
    const streams = await many(() => new WebSocketStream(url, { signal }))
    expect(listeners(signal)).toBe(1)
    await Promise.all(streams.map(({ opened }) => opened))
    expect(listeners(signal)).toBe(0)
    for (const stream of streams) stream.close()
    await Promise.all(streams.map(({ closed }) => closed))
  })

  it('directories of endpoints, which listen to the signal of their server, has one listener', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'hawser-'))
    const server = new WebSocketServer()
    try {
      await many(() => serveDirectory(server, directory))
      expect(listeners(server.signal)).toBe(1)
    } finally {
      await server.close()
      await rm(directory, { recursive: true })
    }
  })
})
