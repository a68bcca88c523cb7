/**
 * The other end of clients whose connections end in all ways: a server that knows no WebSocket but the bytes of lib/steps.mjs, on a port
 * with TLS and on one without. The path of the request says what it does. It prints its ports, and ends with its input.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { BelowTls } from '../lib/below-tls.mjs'
import { tlsFiles } from '../lib/short.mjs'
import { deflated } from '../lib/steps.mjs'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KIB = 1024

/** A frame of a server: not masked, of less than 64 KiB. */
function frame(first, payload = '', announced) {
  const bytes = Buffer.from(payload)
  const length = announced ?? bytes.length
  const header = length < 126 ? Buffer.of(first, length) : Buffer.of(first, 126, length >> 8, length & 0xff)
  return Buffer.concat([header, bytes])
}
const closeFrame = (code) => frame(0x88, code === undefined ? '' : Buffer.of(code >> 8, code & 0xff))
const JSON_TEXT = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, name: `item ${id}` })))
const COMPRESSED = deflated(JSON_TEXT)
const BOMB = frame(0xc2, deflated(Buffer.alloc(KIB * KIB)))
const half = (bytes) => bytes.subarray(0, bytes.length >> 1)

/** One connection, over which this sends what it likes. */
class Line {
  constructor(socket, tcp) {
    this.socket = socket
    this.tcp = tcp
  }

  /** The 101 for a key, and bytes after it in the same segment. */
  accept(key, extensions = '', ...after) {
    const answer = createHash('sha1')
      .update(key + GUID)
      .digest('base64')
    this.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n${extensions}\r\n`,
      ...after,
    )
  }

  write(...parts) {
    if (!this.socket.writable) return
    this.socket.write(
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))),
    )
  }

  fin() {
    this.socket.end()
  }

  reset() {
    this.tcp.resetAndDestroy()
    this.socket.destroy()
  }

  /** Reads until the client is done; answers its Close frame, and echoes short texts. */
  converse() {
    let bytes = Buffer.alloc(0)
    this.socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        const length = bytes[1] & 0x7f
        if (bytes.length < 6 || length > 125 || bytes.length < 6 + length) return
        const payload = bytes.subarray(6, 6 + length).map((byte, at) => byte ^ bytes[2 + (at & 3)])
        const opcode = bytes[0] & 0x0f
        bytes = bytes.subarray(6 + length)
        if (opcode === 8) {
          this.write(frame(0x88, payload))
          this.fin()
        } else if (opcode === 9) this.write(frame(0x8a, payload))
        else if (opcode === 1) this.write(frame(0x81, payload))
      }
    })
    this.socket.on('end', () => this.fin())
  }

  /** Sends a Close frame, and waits for the answer. */
  closes(key, code) {
    this.accept(key, '', closeFrame(code))
    this.socket.resume()
    this.socket.once('data', () => this.fin())
    this.socket.on('end', () => this.fin())
  }

  /** Sends bytes that end the connection at the client, and waits for it. */
  provokes(key, bytes, extensions = '') {
    this.accept(key, extensions, bytes)
    this.socket.resume()
    this.socket.on('end', () => this.fin())
  }
}

const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate\r\n'
const refuse =
  (status, fields = '', body = '') =>
  (line) => {
    line.write(
      `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${fields}\r\n${body}`,
    )
    line.fin()
  }
/** Sends these bytes after the 101, and then ends in this way. */
const sends =
  (how, ...bytes) =>
  (line, key) => {
    line.accept(key, '', ...bytes)
    if (how === 'fin') line.socket.resume()
    line.socket.write('', () => line[how]())
  }
const flaky = new Set()

/** What the server does, by path: `(line, key, path) => void`. */
const ACTIONS = {
  '/echo': (line, key) => {
    line.accept(key)
    line.converse()
  },
  '/compressed': (line, key) => {
    line.accept(key, DEFLATE, frame(0xc1, COMPRESSED))
    line.converse()
  },
  '/close': (line, key) => line.closes(key, 1000),
  '/close-4000': (line, key) => line.closes(key, 4000),
  '/close-empty': (line, key) => line.closes(key),
  '/mute': (line, key) => {
    line.accept(key)
    line.socket.resume()
    line.socket.on('end', () => line.fin())
  },
  '/deaf': (line, key) => {
    line.accept(key)
    line.socket.pause()
  },
  '/deaf-reset': (line, key) => {
    line.accept(key)
    line.socket.pause()
    setTimeout(() => line.reset(), 30)
  },
  '/fin': sends('fin'),
  '/reset': sends('reset'),
  '/message-reset': sends('reset', frame(0x81, 'hello')),
  '/few-fin': sends('fin', ...Array.from({ length: 30 }, () => frame(0x81, 'hello'))),
  '/messages-fin': sends('fin', ...Array.from({ length: 100 }, () => frame(0x81, 'hello'))),
  '/reset-later': (line, key) => {
    line.accept(key)
    line.socket.once('data', () => line.reset())
  },
  '/header-fin': sends('fin', Buffer.of(0x81)),
  '/payload-reset': sends('reset', frame(0x81, 'half', 1000)),
  '/fragments-reset': sends('reset', frame(0x01, 'a'), frame(0x00, 'b')),
  '/fragments-fin': sends('fin', frame(0x01, 'a'), frame(0x00, 'b')),
  '/compressed-reset': (line, key) => {
    line.accept(key, DEFLATE, frame(0xc1, half(COMPRESSED), COMPRESSED.length))
    line.socket.write('', () => line.reset())
  },
  '/before-reset': (line) => line.reset(),
  '/before-fin': (line) => line.fin(),
  '/head-fin': (line) => {
    line.write('HTTP/1.1 101 Switching')
    line.fin()
  },
  '/head-reset': (line) => {
    line.write('HTTP/1.1 101 Switching')
    line.socket.write('', () => line.reset())
  },
  '/silent': (line) => {
    line.socket.resume()
    line.socket.on('end', () => line.fin())
  },
  '/403': refuse('403 Forbidden', '', 'no'),
  '/503': refuse('503 Service Unavailable', 'Retry-After: 1\r\n'),
  '/redirect': refuse('302 Found', 'Location: /echo\r\n'),
  '/malformed': refuse('nonsense'),
  '/long': refuse('403 Forbidden', `X: ${'x'.repeat(20 * KIB)}\r\n`),
  '/wrong-accept': (line) => {
    line.accept('another key')
    line.socket.resume()
    line.socket.on('end', () => line.fin())
  },
  '/not-offered': (line, key) => {
    line.accept(key, 'Sec-WebSocket-Protocol: chat\r\n')
    line.socket.resume()
    line.socket.on('end', () => line.fin())
  },
  '/masked': (line, key) => line.provokes(key, Buffer.of(0x81, 0x81, 0, 0, 0, 0, 0x61)),
  '/reserved-bit': (line, key) => line.provokes(key, frame(0xa1, 'a')),
  '/bad-text': (line, key) => line.provokes(key, frame(0x81, Buffer.of(0xc0, 0x80))),
  '/large': (line, key) => line.provokes(key, Buffer.of(0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0)),
  '/bomb': (line, key) => line.provokes(key, BOMB, DEFLATE),
  /** The first connection of a name is reset, the second one is an echo. */
  '/flaky': (line, key, path) => {
    if (flaky.delete(path)) ACTIONS['/echo'](line, key)
    else {
      flaky.add(path)
      sends('reset')(line, key)
    }
  },
}

function serve(socket, tcp) {
  socket.on('error', () => undefined)
  socket.on('close', () => tcp.destroy())
  let head = ''
  const take = (chunk) => {
    head += chunk.toString('latin1')
    if (!head.includes('\r\n\r\n')) return
    socket.off('data', take)
    const [, path] = /^GET (\S+) /.exec(head) ?? []
    const [, key = ''] = /^sec-websocket-key: (.*)$/im.exec(head.replaceAll('\r', '')) ?? []
    const action = ACTIONS[path] ?? ACTIONS[`/${path?.split('/')[1]}`]
    if (action === undefined) refuse('404 Not Found')(new Line(socket, tcp))
    else action(new Line(socket, tcp), key, path)
  }
  socket.on('data', take)
}

const options = { allowHalfOpen: true, noDelay: true }
const plain = createServer(options, (tcp) => serve(tcp, tcp))
const secureContext = createSecureContext(tlsFiles())
const secure = createServer(options, (tcp) => {
  const socket = new TLSSocket(new BelowTls(tcp), { isServer: true, secureContext })
  socket.allowHalfOpen = true
  serve(socket, tcp)
})
for (const server of [plain, secure]) await once(server.listen(0, '127.0.0.1', 4_096), 'listening')
console.log(JSON.stringify({ plain: plain.address().port, secure: secure.address().port }))
process.stdin.resume().once('end', () => process.exit())
