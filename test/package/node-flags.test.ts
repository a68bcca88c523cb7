// slow: runs programs with flags of Node, from a package that is made of the sources
/** The flags of Node that the checklist of SECURITY.md calls safe to set, with a server and a client that use all there is. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installHawser, root } from '../helpers/doc-programs.js'

const [, line = ''] = /^- \*\*(`--disable-proto=delete.*) are safe to set\.$/m.exec(
  readFileSync(path.join(root, 'SECURITY.md'), 'utf8'),
) ?? ['', '']
const FLAGS = [...line.matchAll(/`(--[\w=-]+)`/g)].map(([, flag = '']) => flag)

const PROGRAM = `
import { connect, PreparedMessage, WebSocketServer } from 'hawser'
import { json } from 'hawser/json'
import { memoryHistory } from 'hawser/recovery'

const server = new WebSocketServer({
  perMessageDeflate: true,
  quotas: { messagesPerSecond: 1000 },
  trustedProxies: ['loopback'],
  recovery: { history: memoryHistory(), groups: ['room'] },
})
server.route('/rooms/:room', {
  codec: json(),
  onOpen: (socket) => void socket.join('room'),
  onMessage: (socket, value) => ({ ...value, room: socket.params.room }),
})
const { port } = await server.listen(0, '127.0.0.1')
const socket = await connect(\`ws://127.0.0.1:\${port}/rooms/dogs\`, { perMessageDeflate: true, recovery: {} })
socket.sendJson({ text: 'x'.repeat(100_000) })
const { text, room } = await socket.receiveJson()
console.log(text.length, room, socket.extensions.split(';')[0])
await server.group('room').publish(JSON.stringify('published'))
console.log(await socket.receiveJson())
server.broadcast(new PreparedMessage('1'))
console.log(await socket.receiveText())
await socket.close(1000)
await server.close()
`

/** What peers and the network do, to a server with its own port and to one at a server of Node, and to a client. */
const HOSTILE = String.raw`
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import { connect, WebSocketServer } from 'hawser'

const done = []
const options = {
  handshakeQuotas: { perSecondPerAddress: 1, burstPerAddress: 20 },
  quotas: { messagesPerSecond: 2, onExceeded: 'close' },
  limits: { handshakeTimeoutMs: 300, maxMessageBytes: 100 },
  onError: () => undefined,
}
const HEAD = [
  'GET / HTTP/1.1', 'Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '',
].join('\r\n')
const frame = (first, bytes) => Buffer.concat([Buffer.from([first, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
const open = async (port, head = HEAD) => {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(head)
  const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  return { socket, status: String(answer).slice(9, 12) }
}
const gone = async ({ socket }) => {
  if (!socket.closed) await Promise.all([once(socket, 'close'), socket.resume()])
}
const beSpiteful = async (port) => {
  const first = await open(port)
  first.socket.resetAndDestroy()
  const half = await open(port)
  half.socket.write(frame(0x01, Buffer.from('x')))
  half.socket.resetAndDestroy()
  const bad = [frame(0x83, Buffer.alloc(1)), frame(0x81, Buffer.from([0xff])), frame(0x88, Buffer.alloc(1)), frame(0x82, Buffer.alloc(101))]
  for (const bytes of bad) {
    const peer = await open(port)
    peer.socket.write(bytes)
    await gone(peer)
  }
  const fast = await open(port)
  for (let i = 0; i < 5; i++) fast.socket.write(frame(0x82, Buffer.alloc(1)))
  await gone(fast)
  await gone(await open(port, 'GARBAGE\r\n\r\n'))
  await gone(await open(port, HEAD.replace('13', '12')))
  for (;;) {
    const { socket, status } = await open(port)
    socket.resetAndDestroy()
    if (status !== '101') return status
  }
}

const server = new WebSocketServer(options)
server.route('/', { onMessage: (_socket, message) => message })
done.push(await beSpiteful((await server.listen(0, '127.0.0.1')).port))
const attached = new WebSocketServer(options)
attached.route('/', { onMessage: (_socket, message) => message })
const http = createServer().listen(0, '127.0.0.1')
await once(http, 'listening')
attached.attach(http)
done.push(await beSpiteful(http.address().port))

const accepting = net.createServer((socket) => {
  socket.on('error', () => undefined).once('data', (head) => {
    const { createHash } = process.getBuiltinModule('node:crypto')
    const key = /sec-websocket-key: *(\S+)/i.exec(String(head))[1]
    const accept = createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + accept + '\r\n\r\n')
    setTimeout(() => socket.resetAndDestroy(), 50)
  })
}).listen(0, '127.0.0.1')
await once(accepting, 'listening')
const client = await connect('ws://127.0.0.1:' + accepting.address().port)
done.push((await client.closed).code)
accepting.close()
done.push(await connect('ws://127.0.0.1:1').catch(({ code }) => code))
console.log(done.join(' '))
await server.close()
await attached.close()
http.close()
`

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-flags-'))
  installHawser(directory, [])
  writeFileSync(path.join(directory, 'program.mjs'), PROGRAM)
  writeFileSync(path.join(directory, 'hostile.mjs'), HOSTILE)
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

it('has three flags', () => {
  expect(FLAGS).toEqual([
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
    '--frozen-intrinsics',
  ])
})

const EACH_AND_ALL = [...FLAGS.map((flag) => [flag, [flag]] as const), ['all of them', FLAGS] as const]

const run = (flags: readonly string[], program: string): string =>
  execFileSync(process.execPath, [...flags, '--no-warnings', program], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 15_000,
  })

it.each(EACH_AND_ALL)('a server and a client work with %s', (_what, flags) => {
  expect(run(flags, 'program.mjs').split('\n')).toEqual([
    '100000 dogs permessage-deflate',
    'published',
    '1',
    '',
  ])
})

it.each(EACH_AND_ALL)('no peer ends the process with %s', (_what, flags) => {
  expect(run(flags, 'hostile.mjs')).toBe('429 429 1006 HAWSER_CONNECTION_FAILED\n')
})
