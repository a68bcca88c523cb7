/** H3 with crossws: a route that upgrades beside one of HTTP. The copy of `ws` inside crossws is replaced. */
import { plugin } from 'crossws/server'
import { H3, defineWebSocketHandler, serve } from 'h3'
import WebSocket from 'ws'
import { digest, echoRate, once, textOf, until, within } from '../lib/tools.mjs'

export async function run({ figure }) {
  const seen = []
  const app = new H3()
  app.get('/', () => 'by HTTP')
  app.get(
    '/room',
    defineWebSocketHandler({
      open(peer) {
        seen.push('open')
        peer.subscribe('room')
        peer.publish('room', 'joined')
      },
      message(peer, message) {
        if (message.text() === 'tell all') peer.publish('room', 'told')
        else peer.send(message.text())
      },
      close: (_peer, { code }) => seen.push(`close ${String(code)}`),
    }),
  )
  const server = serve(app, {
    port: 0,
    hostname: '127.0.0.1',
    silent: true,
    plugins: [plugin({ resolve: async (request) => (await app.fetch(request)).crossws })],
  })
  await server.ready()
  const url = server.url.replace('http', 'ws')
  const first = new WebSocket(`${url}room`)
  await once(first, 'open')
  const joined = once(first, 'message')
  const second = new WebSocket(`${url}room`)
  await once(second, 'open')
  const result = { joined: String((await joined)[0]), http: await (await fetch(server.url)).text() }
  const told = once(second, 'message')
  first.send('tell all')
  result.told = String((await told)[0])
  const echo = once(first, 'message')
  first.send(textOf(200_000))
  result.echo = digest((await echo)[0])
  figure(
    'echoes a second',
    await echoRate({
      send: () => first.send('a short text'),
      onAnswer: (answered) => first.on('message', answered),
    }),
  )
  for (const socket of [first, second]) {
    const ended = once(socket, 'close')
    socket.close(4_000)
    await ended
  }
  await until(() => seen.length === 4, 'the ends')
  await within(server.close(true), 'the end of the server')
  return { ...result, seen }
}
