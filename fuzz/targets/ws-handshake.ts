/**
 * The same requests to a server of Hawser and to one of `ws`, each attached to an HTTP server of Node, over a stream in memory:
 * both accept, with the same subprotocol and extensions, or both refuse, or the difference is known.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer as WsServer } from 'ws'
import { WebSocketServer } from '../../src/server/websocket-server.js'
import { MemoryDuplex, nextTurn } from '../../test/helpers/memory-duplex.js'
import { check, Choices, inputOf, type Target } from './choices.js'
import { HANDSHAKE_DIFFERENCES, type Answer } from './differences.js'
import { REQUEST_HEADS } from './server-handshake.js'

const PROTOCOLS = ['chat', 'superchat']
/** More turns than either needs: node:http gives a request in the turn of its last byte. */
const TURNS = 3

function hawserServer(): Server {
  const http = createServer((_, response) => response.writeHead(404).end())
  const server = new WebSocketServer({ perMessageDeflate: true, heartbeatIntervalMs: false } as object)
  server.route('/*rest', { protocols: PROTOCOLS, onMessage: () => undefined } as object)
  server.attach(http)
  return http
}

function wsServer(): Server {
  const http = createServer((_, response) => response.writeHead(404).end())
  const server = new WsServer({
    noServer: true,
    perMessageDeflate: true,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  })
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    server.handleUpgrade(request, socket, head, (webSocket) => webSocket.on('error', () => undefined))
  })
  return http
}

const servers: { hawser: Server; ws: Server } = { hawser: hawserServer(), ws: wsServer() }

/** Reads the head of the first answer. */
function readAnswer(written: string): Answer {
  const [startLine = '', ...lines] = (written.split('\r\n\r\n', 1)[0] ?? '').split('\r\n')
  const value = (name: string): string => {
    const line = lines.find((one) => one.toLowerCase().startsWith(`${name}:`)) ?? ''
    return line.slice(name.length + 1).trim()
  }
  return {
    status: Number(startLine.split(' ')[1] ?? 0),
    protocol: value('sec-websocket-protocol'),
    extensions: value('sec-websocket-extensions').replace(/\s/g, ''),
    accept: value('sec-websocket-accept'),
    text: written.slice(0, 600),
  }
}

async function ask(http: Server, chunks: readonly Buffer[]): Promise<Answer> {
  const stream = new MemoryDuplex()
  stream.on('error', () => undefined)
  http.emit('connection', stream)
  for (const chunk of chunks) {
    stream.deliver(chunk)
    await nextTurn()
  }
  for (let i = 0; i < TURNS; i++) await nextTurn()
  const answer = readAnswer(stream.written.toString('latin1'))
  stream.destroy()
  await nextTurn()
  return answer
}

async function run(input: Buffer): Promise<void> {
  const choices = new Choices(input)
  const text = choices.bytes.toString('latin1')
  const chunks = choices.chunks().slice(0, 8)
  const [hawser, ws] = await Promise.all([ask(servers.hawser, chunks), ask(servers.ws, chunks)])
  const isSame =
    (hawser.status === 101) === (ws.status === 101) &&
    hawser.protocol === ws.protocol &&
    hawser.extensions === ws.extensions &&
    hawser.accept === ws.accept
  if (isSame) return
  const isKnown = HANDSHAKE_DIFFERENCES.some(({ applies }) => applies({ hawser, ws, text }))
  check(isKnown, 'the two answer alike', () => JSON.stringify({ text, hawser, ws }, null, 1))
}

export const target: Target = {
  title: 'the same requests to servers of Hawser and of `ws`',
  lanes: ['native', 'off'],
  maxBytes: 900,
  seeds: () => REQUEST_HEADS.map((text, i) => inputOf(text, 100, i)),
  run,
}
