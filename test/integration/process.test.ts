// slow: programs of their own, thousands of connections each
/**
 * In processes of their own: what a peer does ends none of them, though nobody listens for errors; and each ends by
 * itself once its connections are closed.
 *
 * security.md: "engine.io: no error listener; RST during the upgrade"; "ws: an 'error' event without listener ends the
 * process"; "WebSocket-Node, ws #1617: closed while a decompression ran".
 */
import { Programs, type Outcome, type Program } from '../helpers/child.js'
import { closeFrame, frame, frameHeader, hex, KEY, OP } from '../helpers/frame-builder.js'
import {
  openRaw,
  RawServer,
  requestHead,
  responseHead,
  upgradeRaw,
  type RawPeer,
} from '../helpers/raw-peer.js'

let programs: Programs
beforeAll(() => {
  programs = new Programs()
})
afterAll(() => programs.remove())

const CLEAN = { status: 0, signal: null, errors: '' }

/** A server without a handler for anything, except where a path says so; it ends when it is told to. */
const SERVER = `
  import { accept, WebSocketServer } from './src/index.js'
  const server = new WebSocketServer({ limits: { maxMessageBytes: 1000 }, handshakeTimeoutMs: 2000, closeTimeoutMs: 200 })
  server.route('/', {})
  server.route('/echo', { onMessage: (socket, message) => message })
  server.route('/later', { onUpgrade: () => new Promise((resolve) => setTimeout(resolve, 30, accept())) })
  server.route('/never', { onUpgrade: () => new Promise(() => undefined) })
  server.route('/throws', { onUpgrade() { throw new Error('in onUpgrade') } })
  server.route('/async', { onOpen: () => new Promise((resolve) => setTimeout(resolve, 30)), onMessage: async (socket, message) => message })
  // Nobody waits for what it writes: while the peer is there, while it goes, and afterwards.
  server.route('/writes', { onOpen(socket) { const timer = setInterval(() => socket.write(Buffer.alloc(200_000)), 2); setTimeout(clearInterval, 500, timer) } })
  server.route('/fails', { onMessage() { throw new Error('in onMessage') }, onClose() { throw new Error('in onClose') }, onError() { throw new Error('in onError') } })
  const { port } = await server.listen(0, '127.0.0.1')
  console.log('port', port)
  process.stdin.once('data', async () => {
    await server.close({ timeoutMs: 300 })
    process.stdin.destroy()
  })
`

async function withServer(
  use: (port: number, program: Program) => Promise<void>,
  flags?: string[],
): Promise<Outcome> {
  // Handlers fail here, and nobody hears them: the warnings of that are tested elsewhere.
  const program = programs.run(SERVER, ['--no-warnings', ...(flags ?? [])])
  const port = Number(await program.value('port'))
  await use(port, program)
  // It serves as before.
  const peer = await upgradeRaw(port, '/echo')
  peer.write(frame({ opcode: OP.TEXT, payload: 'alive', key: KEY }))
  expect((await peer.readFrame()).text).toBe('alive')
  peer.write(closeFrame(1000, '', { key: KEY }))
  await peer.readToClose()
  peer.end()
  program.tell('end')
  return program.ended
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })

/** Everything that a client can do wrong in frames. */
const VIOLATIONS: readonly (readonly [name: string, bytes: Buffer, code: number])[] = [
  ['no mask', frame({ opcode: OP.TEXT, payload: 'x' }), 1002],
  ['RSV1 without a message to compress', frame({ opcode: OP.CONTINUATION, rsv1: true, key: KEY }), 1002],
  ['RSV2', frame({ opcode: OP.TEXT, rsv2: true, payload: 'x', key: KEY }), 1002],
  ['RSV3', frame({ opcode: OP.TEXT, rsv3: true, payload: 'x', key: KEY }), 1002],
  ['opcode 3', frame({ opcode: 3, payload: 'x', key: KEY }), 1002],
  ['opcode 15', frame({ opcode: 15, payload: 'x', key: KEY }), 1002],
  ['a stray continuation', frame({ opcode: OP.CONTINUATION, payload: 'x', key: KEY }), 1002],
  [
    'a message within a message',
    Buffer.concat([frame({ opcode: OP.TEXT, fin: false, payload: 'x', key: KEY }), text('y')]),
    1002,
  ],
  ['a fragmented ping', frame({ opcode: OP.PING, fin: false, key: KEY }), 1002],
  ['a long ping', frame({ opcode: OP.PING, payload: 'x'.repeat(126), key: KEY }), 1002],
  ['a Close of one byte', frame({ opcode: OP.CLOSE, payload: [3], key: KEY }), 1002],
  ['Close 1005', closeFrame(1005, '', { key: KEY }), 1002],
  ['Close 0', closeFrame(0, '', { key: KEY }), 1002],
  ['a Close reason that is not UTF-8', closeFrame(1000, [0xff], { key: KEY }), 1007],
  ['text that is not UTF-8', frame({ opcode: OP.TEXT, payload: [0xce, 0xba, 0xff], key: KEY }), 1007],
  ['a length that is not minimal', frame({ opcode: OP.TEXT, lengthForm: 64, payload: 'x', key: KEY }), 1002],
  ['2^63 bytes', frameHeader({ opcode: OP.BINARY, announce: 2n ** 63n, key: KEY }), 1002],
  ['2^53 bytes', frameHeader({ opcode: OP.BINARY, announce: 2n ** 53n, key: KEY }), 1009],
  ['1,001 bytes', frame({ opcode: OP.BINARY, payload: Buffer.alloc(1001), key: KEY }), 1009],
  ['no deflate at all', frame({ opcode: OP.TEXT, rsv1: true, payload: 'not deflated', key: KEY }), 1007],
]

describe('a server with no listener anywhere', () => {
  it('survives every violation, and answers each with its close code', async () => {
    const outcome = await withServer(async (port) => {
      const deflate = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
      const codes = await Promise.all(
        ['/', '/async'].flatMap((path) =>
          VIOLATIONS.map(async ([name, bytes]) => {
            const peer = await upgradeRaw(port, path, deflate)
            peer.write(text('before'), bytes, text('behind'))
            const { closeCode } = await peer.readToClose()
            await peer.ended()
            peer.end()
            return [name, closeCode]
          }),
        ),
      )
      const expected = VIOLATIONS.map(([name, , code]) => [name, code])
      expect(codes).toEqual([...expected, ...expected])
    })
    expect(outcome).toMatchObject(CLEAN)
  })

  it('survives a reset and a FIN after each byte of the handshake, on every path', async () => {
    const outcome = await withServer(async (port) => {
      const head = requestHead('/PATH', { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
      for (const path of ['/', '/later', '/never', '/throws', '/async', '/nowhere', '/fails']) {
        const bytes = Buffer.concat([Buffer.from(head.replace('/PATH', path)), text('x')])
        // Every byte of the start and of the end, and some between.
        const cuts = Array.from(bytes.keys()).filter((i) => i < 5 || i > bytes.length - 20 || i % 23 === 0)
        await Promise.all(
          [...cuts, bytes.length].flatMap((cut) =>
            (['reset', 'end'] as const).map(async (how) => {
              const peer = await openRaw(port)
              peer.write(bytes.subarray(0, cut))
              await new Promise((resolve) => setTimeout(resolve, cut % 3 === 0 ? 40 : 0))
              peer[how]()
              if (how === 'end') setTimeout(() => peer.reset(), 20)
            }),
          ),
        )
      }
    })
    expect(outcome).toMatchObject(CLEAN)
  }, 30_000)

  it('survives a reset at every stage after the handshake', async () => {
    const outcome = await withServer(async (port) => {
      const stages: readonly ((peer: RawPeer) => unknown)[] = [
        () => undefined,
        (peer) => peer.write(text('x')),
        (peer) => peer.write(text('x').subarray(0, 3)),
        (peer) => peer.write(frame({ opcode: OP.TEXT, fin: false, payload: 'x', key: KEY })),
        (peer) => peer.write(frame({ opcode: OP.PING, payload: 'x', key: KEY })),
        (peer) => peer.write(closeFrame(1000, '', { key: KEY })),
        async (peer) => {
          peer.write(closeFrame(1000, '', { key: KEY }))
          await peer.readToClose()
        },
        (peer) => peer.write(frame({ opcode: 7, key: KEY })),
        (peer) => {
          peer.pause()
          peer.write(
            ...Array.from({ length: 200 }, () =>
              frame({ opcode: OP.TEXT, payload: 'x'.repeat(999), key: KEY }),
            ),
          )
        },
        (peer) => peer.end(),
      ]
      for (const path of ['/', '/echo', '/async', '/fails']) {
        await Promise.all(
          stages.flatMap((stage) =>
            [0, 10, 50].map(async (delay) => {
              const peer = await upgradeRaw(port, path)
              await stage(peer)
              if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
              peer.reset()
            }),
          ),
        )
      }
    })
    expect(outcome).toMatchObject(CLEAN)
  })

  it('survives peers that go while it writes to them and does not wait', async () => {
    const outcome = await withServer(async (port) => {
      const peers = await Promise.all(Array.from({ length: 6 }, () => upgradeRaw(port, '/writes')))
      await new Promise((resolve) => setTimeout(resolve, 100))
      for (const [i, peer] of peers.entries()) {
        if (i % 3 === 0) peer.reset()
        else if (i % 3 === 1) peer.end()
        else peer.write(closeFrame(1000, '', { key: KEY }))
      }
      await new Promise((resolve) => setTimeout(resolve, 600))
      for (const peer of peers) peer.reset()
    })
    expect(outcome).toMatchObject(CLEAN)
  })

  it('survives bytes that are not a WebSocket handshake', async () => {
    const outcome = await withServer(async (port) => {
      const inputs: (string | Buffer)[] = [
        '',
        '\r\n\r\n',
        'GET\r\n\r\n',
        'GET / HTTP/1.1\r\n\r\n',
        'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
        'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
        'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
        requestHead('http://[::1/', {}),
        requestHead('/%ff%00', {}),
        requestHead('/', { Host: 'a b' }),
        requestHead('/__proto__', { constructor: 'x', __proto__: 'y' }),
        hex('16 03 01 00 05 01 00 00 01 00'),
        Buffer.alloc(100_000, 0xff),
        Buffer.from(`GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(5000)}\r\n`),
      ]
      await Promise.all(
        inputs.map(async (input) => {
          const peer = await openRaw(port)
          if (input !== '') peer.write(input)
          peer.end()
          await peer.closed()
        }),
      )
    })
    expect(outcome).toMatchObject(CLEAN)
  })
})

const CLIENT = (url: string, then = ''): string => `
  import { connect } from './src/index.js'
  const outcome = await connect('${url}', { handshakeTimeoutMs: 3000, closeTimeoutMs: 200, limits: { maxMessageBytes: 1000 } }).then(
    async (socket) => { ${then}; return 'connected' },
    (error) => error.code,
  )
  console.log('outcome', outcome)
`

describe('a client with no listener anywhere', () => {
  const serve = async (
    serving: (peer: RawPeer) => unknown,
    use: (url: string) => Promise<void>,
  ): Promise<void> => {
    const server = await RawServer.start(serving)
    await use(server.url)
    await server.close()
  }
  /** As a server sends them: not masked. */
  const unmasked = VIOLATIONS.filter(([name]) => name !== 'no mask').map(
    ([name, bytes]) => [name, unmask(bytes)] as const,
  )

  it('survives every violation of its server, and exits by itself', async () => {
    const closes: number[] = []
    let count = 0
    const serving = async (peer: RawPeer): Promise<void> => {
      const [, bytes] = [...unmasked, ['a mask', text('x')] as const][count++] ?? unmasked[0]!
      const request = await peer.readHead()
      const extensions = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
      peer.write(responseHead(request, extensions), bytes)
      closes.push((await peer.readToClose()).closeCode)
      peer.end()
    }
    await serve(serving, async (url) => {
      const program = programs.run(`
        import { connect } from './src/index.js'
        const sockets = []
        for (let i = 0; i <= ${unmasked.length}; i++) {
          sockets.push(await connect('${url}', { limits: { maxMessageBytes: 1000 } }))
        }
      `)
      expect(await program.ended).toMatchObject(CLEAN)
      const expected = [...VIOLATIONS.filter(([name]) => name !== 'no mask').map(([, , code]) => code), 1002]
      expect([...closes].sort()).toEqual([...expected].sort())
    })
  })

  it.each([
    ['a reset at once', (peer: RawPeer) => peer.reset()],
    ['a reset after the request', (peer: RawPeer) => peer.readHead().then(() => peer.reset())],
    [
      'a reset within the response',
      async (peer: RawPeer) => {
        await peer.readHead()
        peer.write('HTTP/1.1 101')
        setTimeout(() => peer.reset(), 20)
      },
    ],
    [
      'a reset within the body of a rejection',
      async (peer: RawPeer) => {
        await peer.readHead()
        peer.write('HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nxx')
        setTimeout(() => peer.reset(), 20)
      },
    ],
    [
      'a reset after the response',
      async (peer: RawPeer) => {
        const request = await peer.readHead()
        peer.write(responseHead(request))
        setTimeout(() => peer.reset(), 20)
      },
    ],
    [
      'a reset after a message',
      async (peer: RawPeer) => {
        const request = await peer.readHead()
        peer.write(responseHead(request), frame({ opcode: OP.TEXT, payload: 'x' }))
        setTimeout(() => peer.reset(), 20)
      },
    ],
    ['bytes that are not HTTP', (peer: RawPeer) => peer.write(Buffer.alloc(70_000, 0xff))],
  ])('survives %s', async (_, serving) => {
    await serve(serving, async (url) => {
      const { lines, ...outcome } = await programs.run(CLIENT(url)).ended
      expect(outcome).toMatchObject(CLEAN)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/^outcome (connected|HAWSER_)/)
    })
  })
})

/** The same frame without its mask. */
function unmask(bytes: Buffer): Buffer {
  // Built anew from what it was: the list above is the only place that says what is wrong in each.
  const out: Buffer[] = []
  let rest = bytes
  while (rest.length > 0) {
    const field = (rest[1] as number) & 0x7f
    const lengthEnd = field === 126 ? 4 : field === 127 ? 10 : 2
    const announced =
      field === 126 ? rest.readUInt16BE(2) : field === 127 ? Number(rest.readBigUInt64BE(2)) : field
    const payloadEnd = Math.min(lengthEnd + 4 + announced, rest.length)
    const header = Buffer.from(rest.subarray(0, lengthEnd))
    header[1] = field
    const payload = rest.subarray(lengthEnd + 4, payloadEnd).map((octet, i) => octet ^ (KEY[i % 4] as number))
    out.push(header, Buffer.from(payload))
    rest = rest.subarray(payloadEnd)
  }
  return Buffer.concat(out)
}

describe('a process ends by itself,', () => {
  const BOTH = `
    import { connect, WebSocketServer } from './src/index.js'
    const server = new WebSocketServer({ idleTimeoutMs: 60_000 })
    server.route('/', { onMessage: (socket, message) => message })
    const { port } = await server.listen(0, '127.0.0.1')
    const url = 'ws://127.0.0.1:' + port + '/'
  `

  it.each([
    ['after server.close(), clients open', 'const c = await connect(url); await server.close()'],
    ['after server.terminate()', 'const c = await connect(url); server.terminate()'],
    ['after an unused server is closed', 'await server.close()'],
    [
      'after messages, pings and large ones, compressed off the loop',
      `const c = await connect(url)
       c.send('x'.repeat(500_000)); c.ping('y'); await c.receive()
       await c.close(1000); await server.close()`,
    ],
    [
      'after a close while large messages are compressed',
      `const c = await connect(url)
       for (let i = 0; i < 4; i++) c.send('x'.repeat(900_000))
       const closed = c.close(1000)
       await closed; await server.close()`,
    ],
    [
      'after a terminate while large messages are compressed',
      `const c = await connect(url)
       for (let i = 0; i < 4; i++) c.send('x'.repeat(900_000))
       c.terminate(); await server.close()`,
    ],
    [
      'after handshakes that failed',
      `for (const path of ['nowhere', 'else']) await connect(url + path).catch(() => undefined)
       await connect('ws://127.0.0.1:1/').catch(() => undefined)
       await server.close()`,
    ],
    [
      'with waits that were left alone',
      `const c = await connect(url)
       c.receive().catch(() => undefined); c.receive({ timeoutMs: 60_000 }).catch(() => undefined)
       await server.close()`,
    ],
    [
      'without a server, when the client is closed',
      'const c = await connect(url); server.close(); await c.close()',
    ],
  ])('%s', async (_, code) => {
    const { lines, ...outcome } = await programs.run(`${BOTH}${code}\nconsole.log('done')`).ended
    expect(outcome).toMatchObject(CLEAN)
    expect(lines).toEqual(['done'])
  })

  it('after the close timeout, when a peer neither reads nor ends', async () => {
    const program = programs.run(`
      import { WebSocketServer } from './src/index.js'
      const server = new WebSocketServer({ closeTimeoutMs: 100 })
      server.route('/', { onOpen(socket) {
        socket.send(Buffer.alloc(4_000_000)); setTimeout(() => server.close(), 20)
      } })
      console.log('port', (await server.listen(0, '127.0.0.1')).port)
    `)
    const peer = await upgradeRaw(Number(await program.value('port')), '/').then((raw) => {
      raw.pause()
      return raw
    })
    expect(await program.ended).toMatchObject(CLEAN)
    peer.socket.destroy()
  })
})

describe('connecting and disconnecting many times', () => {
  it.each([
    ['closed by the client', 'await (await connect(url)).close(1000)'],
    ['terminated', '(await connect(url)).terminate()'],
    [
      'closed by the server',
      "const c = await connect(url + 'bye'); await c.receive().catch(() => undefined)",
    ],
    ['rejected', "await connect(url + 'nowhere').catch(() => undefined)"],
    [
      'with messages, compressed, and cut in the middle of the work',
      "const c = await connect(url); c.send('y'.repeat(2000)); await c.receive(); c.send('x'.repeat(100_000)); c.terminate()",
    ],
  ])('leaves heap and handles as they were: %s', async (_, code) => {
    const { lines, ...outcome } = await programs.run(
      `
      import { connect, WebSocketServer } from './src/index.js'
      import { Socket } from 'node:net'
      import * as v8 from 'node:v8'
      import { Connection } from './src/connection/connection.js'
      import { DirectUpgrade } from './src/server/direct-upgrade.js'
      import { SocketDriver } from './src/socket/socket-driver.js'
      import { timerWheel } from './src/transport/timer-wheel.js'
      const server = new WebSocketServer()
      server.route('/', { onMessage: (socket, message) => message })
      server.route('/bye', { onOpen: (socket) => void socket.close(4000) })
      const { port } = await server.listen(0, '127.0.0.1')
      const url = 'ws://127.0.0.1:' + port + '/'
      const round = async (count) => {
        for (let i = 0; i < count; i += 10) {
          await Promise.all(Array.from({ length: 10 }, async () => { ${code} }))
        }
        while (server.connectionCount > 0) await new Promise((resolve) => setTimeout(resolve, 5))
        for (let i = 0; i < 3; i++) { await new Promise((resolve) => setTimeout(resolve, 10)); gc() }
        return process.memoryUsage().heapUsed
      }
      // Node 20.13 and later; what lives is found by a collection of its own.
      const alive = () => [SocketDriver, Connection, DirectUpgrade, Socket].map((type) => v8.queryObjects?.(type) ?? 0).join()
      // Before the first connection there are the prototypes of subclasses, which inherit from these classes too.
      const unused = alive().split(',', 3).join()
      console.log('begin')
      await round(200)
      const aliveBefore = alive()
      const before = await round(200)
      const resources = process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').sort()
      const after = await round(400)
      console.log('perConnection', Math.round((after - before) / 400))
      console.log('same', JSON.stringify(resources) === JSON.stringify(process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').sort()))
      console.log('waiting', timerWheel.size)
      console.log('alive', alive() === aliveBefore, aliveBefore.startsWith(unused + ','))
      await server.close()
    `,
      ['--expose-gc', '--no-warnings'],
    ).ended
    expect(outcome).toMatchObject(CLEAN)
    const [, perConnection, ...rest] = lines
    // A connection is thousands of bytes; what Node and V8 still learn in these rounds is some hundreds for each.
    expect(Number(perConnection?.split(' ')[1])).toBeLessThan(2500)
    expect(rest).toEqual(['same true', 'waiting 0', 'alive true true'])
  })
})
