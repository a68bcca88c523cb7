// slow: slow peers, whose timers must run out, by every transport
/** Faults of the past: senders that were cut although the peer reads, and memory that nothing bounded. */
import { randomBytes } from 'node:crypto'
import { connect, WebSocketServer, type ClientSocket, type ServerOptions } from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import {
  afterwards,
  ENDS,
  gate,
  KIB,
  MIB,
  open,
  pause,
  stopAll,
  until,
  WAYS,
  type Way,
} from '../helpers/liveness.js'
import type { Handlers } from '../helpers/liveness.js'

afterEach(stopAll)

/** A server and clients of Hawser's own. */
async function pair(
  way: Way,
  service: Handlers,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; join(handlers?: Handlers): Promise<ClientSocket> }> {
  const isTls = way === 'over TLS'
  const directIo = way !== 'by the stream'
  const server = new WebSocketServer({ ...options, directIo, ...(isTls ? { tls: SERVER_TLS } : {}) })
  afterwards(() => server.terminate())
  server.route('/', service as object)
  const { port } = await server.listen(0, '127.0.0.1')
  const join = async (handlers?: Handlers): Promise<ClientSocket> => {
    const client = await connect(`${isTls ? 'wss' : 'ws'}://localhost:${port}/`, {
      directIo,
      limits: { maxMessageBytes: 32 * MIB },
      ...(handlers === undefined ? {} : { handlers: handlers as object }),
      ...(isTls ? { tls: { ...TRUST_SERVER, host: '127.0.0.1' } } : {}),
    })
    afterwards(() => client.terminate())
    return client
  }
  return { server, join }
}

const KINDS = WAYS.flatMap((way) =>
  [true, false].map((deflate) => [way, { perMessageDeflate: deflate }] as const),
)

describe.each(KINDS)('a peer that reads, %s, %p', (way, options) => {
  it.each([
    ['2 MiB of zeros', Buffer.alloc(2 * MIB)],
    ['8 MB of zeros', Buffer.alloc(8_000_000)],
    ['8 MB of noise', randomBytes(8_000_000)],
  ])('receives both send(%s) and send("ready")', async (_, large) => {
    const { join } = await pair(
      way,
      {
        onOpen: (socket) => {
          socket.send(large)
          socket.send('ready')
        },
      },
      options,
    )
    const client = await join()
    const first = (await client.receive({ timeoutMs: 8_000 })) as Buffer
    expect(first.equals(large)).toBe(true)
    expect(await client.receive({ timeoutMs: 8_000 })).toBe('ready')
    expect(await client.close(1000)).toMatchObject({ code: 1000, wasClean: true })
  })

  it('receives everything also when it is the server', async () => {
    const lengths: number[] = []
    const { join } = await pair(
      way,
      { onMessage: (_, message) => void lengths.push(message.length) },
      { ...options, limits: { maxMessageBytes: 32 * MIB } },
    )
    const client = await join()
    client.send(randomBytes(8 * MIB))
    client.send('ready')
    expect(await client.close(1000)).toMatchObject({ code: 1000, wasClean: true })
    expect(lengths).toEqual([8 * MIB, 5])
  })

  it("is not closed by a broadcast during another's large message", async () => {
    const large = randomBytes(8 * MIB)
    const { opened: all, open: tell } = gate<object[]>()
    const { server, join } = await pair(
      way,
      {
        onTextMessage: (socket) => {
          socket.send(large)
          tell(Array.from({ length: 20 }, (_, i) => server.broadcast(`news ${i}`)))
        },
      },
      options,
    )
    const clients = [await join(), await join(), await join()]
    clients[0]!.send('more')
    expect(await all).toEqual(Array.from({ length: 20 }, () => ({ sent: 3, dropped: 0, failed: 0 })))
    const news = Array.from({ length: 20 }, (_, i) => `news ${i}`)
    for (const client of clients) {
      const got: string[] = []
      while (got.length < 20) {
        const message = await client.receive({ timeoutMs: 8_000 })
        if (typeof message === 'string') got.push(message)
        else expect(message.length).toBe(large.length)
      }
      expect(got).toEqual(news)
    }
  })

  it('receives all replies with a concurrency above 1, whatever their size in total', async () => {
    const { join } = await pair(
      way,
      {
        concurrency: 16,
        onTextMessage: async (_, text) => {
          await pause(1)
          return `${text}:`.padEnd(512 * KIB, 'r')
        },
      },
      options,
    )
    const client = await join()
    for (let i = 0; i < 40; i++) client.send(String(i))
    const seen = new Set<string>()
    for (let i = 0; i < 40; i++) {
      const message = (await client.receive({ timeoutMs: 8_000 })) as string
      expect(message.length).toBe(512 * KIB)
      seen.add(message.slice(0, message.indexOf(':')))
    }
    expect(seen.size).toBe(40)
    expect(await client.close(1000)).toMatchObject({ code: 1000, wasClean: true })
  })
})

describe.each(ENDS)('%s, %s', (...end) => {
  it('never closes the connection to a slow reader by replies with a concurrency above 1', async () => {
    const { peer, socket, journal } = await open(end, {
      concurrency: 8,
      onTextMessage: (_, text) => Promise.resolve(text.padEnd(300 * KIB, 'r')),
    })
    peer.sendTexts(...Array.from({ length: 12 }, (_, i) => `${i} `))
    await pause(200)
    // One that is on its way, and at most the mark beside it.
    expect(socket.bufferedAmount).toBeLessThanOrEqual(2 * 300 * KIB + 64 * KIB)
    peer.readAll()
    await until('all replies are there', () => peer.frames.length === 12)
    expect(journal.lines).toEqual([])
  })

  it.each(['close', 'drop'] as const)(
    'counts messages that are being compressed, so that a peer that never reads holds no memory (policy %s)',
    async (slowConsumer) => {
      const report = randomBytes(300 * KIB)
      let most = 0
      let handled = 0
      const { peer, socket } = await open(
        end,
        {
          onTextMessage: (of) => {
            handled++
            of.send(report)
            most = Math.max(most, of.bufferedAmount)
          },
        },
        { perMessageDeflate: true, slowConsumer, closeTimeoutMs: 500 },
        { deflate: true },
      )
      // 10 KB of requests.
      peer.do({ do: 'send', frames: [{ op: 1, text: 'r' }], count: 1_500 })
      await until('it was closed, or all was handled', () => socket.readyState !== 1 || handled === 1_500)
      await pause(100)
      expect(most).toBeGreaterThan(MIB / 2)
      expect(most).toBeLessThanOrEqual(MIB + 2 * (report.length + KIB) + 64 * KIB + 17 * 131)
    },
  )

  it('does not cut a slow and steady reader by the heartbeat', async () => {
    const { socket, peer, journal } = await open(
      end,
      {},
      { heartbeatIntervalMs: 450, heartbeatTimeoutMs: 450 },
    )
    peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 5 })
    socket.send(Buffer.alloc(MIB))
    await peer.frame(({ length }) => length === MIB)
    expect(journal.lines).toEqual([])
  })

  it('does not cut a connection that makes progress by closeTimeoutMs', async () => {
    const { socket, peer } = await open(end, {}, { closeTimeoutMs: 700 })
    peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 5 })
    socket.send(Buffer.alloc(MIB))
    expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true })
    expect(peer.frames[0]).toMatchObject({ length: MIB })
  })
})
