/** jsdom: the WebSocket of its windows: events, binary types, protocols, origin and cookies, codes of both sides. */
import { createServer } from 'node:http'
import jsdom from 'jsdom'
import { WebSocketServer } from 'ws'
import { bytesOf, close, digest, echoRate, listen, once, textOf, until } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576]

const next = (target, type) =>
  new Promise((resolve) => target.addEventListener(type, (event) => resolve(event), { once: true }))

export async function run({ figure }) {
  const http = createServer()
  const wss = new WebSocketServer({ server: http, handleProtocols: (protocols) => [...protocols].at(-1) })
  const seen = []
  wss.on('connection', (socket, request) => {
    seen.push([
      request.url,
      request.headers.origin,
      request.headers.cookie ?? null,
      'user-agent' in request.headers,
    ])
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'end') socket.close(4_000, 'wörtlich')
      else socket.send(data, { binary: isBinary })
    })
  })
  const port = String(await listen(http))
  const cookies = new jsdom.CookieJar()
  cookies.setCookieSync('session=7', `http://127.0.0.1:${port}/`)
  const { window } = new jsdom.JSDOM('', { url: `http://127.0.0.1:${port}/page`, cookieJar: cookies })
  const { WebSocket } = window

  const socket = new WebSocket(`ws://127.0.0.1:${port}/path?query=1`, ['first', 'second'])
  socket.binaryType = 'arraybuffer'
  const result = { before: [socket.readyState, socket.binaryType, socket.bufferedAmount] }
  const opened = await next(socket, 'open')
  result.open = [opened.type, socket.readyState, socket.protocol, socket.extensions]
  result.echoes = []
  for (const size of SIZES) {
    for (const payload of [textOf(size), new window.Uint8Array(bytesOf(size))]) {
      const answer = next(socket, 'message')
      socket.send(payload)
      const { data, origin } = await answer
      result.echoes.push(
        `${typeof data === 'string' ? 'text' : 'binary'} ${digest(typeof data === 'string' ? data : new Uint8Array(data))} ${String(origin.length > 0)}`,
      )
    }
  }
  socket.binaryType = 'blob'
  const blob = next(socket, 'message')
  socket.send(new window.Blob(['as a ', 'blob']))
  const { data } = await blob
  result.blob = [data instanceof window.Blob, data.size]
  result.wrong = [
    () => socket.close(1_001),
    () => new WebSocket('http://[/'),
    () => new WebSocket(`ws://127.0.0.1:${port}/`, ['twice', 'twice']),
  ].map((wrong) => {
    try {
      wrong()
      return 'nothing thrown'
    } catch (error) {
      return error.name
    }
  })
  socket.binaryType = 'arraybuffer'
  figure(
    'echoes a second',
    await echoRate({
      count: 5_000,
      send: () => socket.send('a short text'),
      onAnswer: (answered) => (socket.onmessage = answered),
    }),
  )
  socket.onmessage = null
  const closed = next(socket, 'close')
  socket.send('end')
  const { code, reason, wasClean } = await closed
  result.closed = [code, reason, wasClean, socket.readyState]

  const refused = new WebSocket('ws://127.0.0.1:1/')
  const events = []
  refused.addEventListener('error', ({ type }) => events.push(type))
  const end = await next(refused, 'close')
  result.refused = [...events, end.code, end.wasClean]

  const left = new WebSocket(`ws://127.0.0.1:${port}/left`)
  await next(left, 'open')
  const gone = once([...wss.clients][0], 'close')
  window.close()
  result.left = (await gone)[0]
  await until(() => wss.clients.size === 0, 'the end')
  result.seen = seen.map(([url, origin, ...rest]) => [url, origin.replace(port, 'PORT'), ...rest])
  wss.close()
  await close(http)
  return result
}
