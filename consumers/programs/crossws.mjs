/** crossws on Node: its peers, topics, drain and end, with compression, and its client. Its own copy of `ws` is replaced. */
import { createServer } from 'node:http'
import crossws from 'crossws/adapters/node'
import CrossWebSocket from 'crossws/websocket'
import WebSocket from 'ws'
import { bytesOf, close, digest, echoRate, listen, once, textOf, until } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576]

export async function run({ figure }) {
  const seen = []
  const ws = crossws({
    serverOptions: { perMessageDeflate: { threshold: 1_024 } },
    hooks: {
      upgrade(request) {
        if (request.url.endsWith('/refused')) throw new Response('not you', { status: 403 })
        return { headers: { 'x-by': 'crossws' }, context: { number: 7 } }
      },
      open(peer) {
        seen.push(
          `open ${String(peer.context.number)} ${typeof peer.remoteAddress} ${String(peer.websocket.readyState)}`,
        )
        peer.subscribe('news')
      },
      message(peer, message) {
        const text = message.text()
        if (text.startsWith('publish ')) peer.publish('news', text)
        else if (text === 'bytes') peer.send(bytesOf(100_000), { compress: true })
        else if (text === 'end') peer.close(4_000, 'as asked')
        else peer.send(message.rawData, { compress: false })
      },
      close: (_peer, { code, reason }) => seen.push(`close ${String(code)} ${reason}`),
      error: (_peer, error) => seen.push(`error ${error.message}`),
    },
  })
  const http = createServer()
  http.on('upgrade', (request, socket, head) => void ws.handleUpgrade(request, socket, head))
  const url = `ws://127.0.0.1:${String(await listen(http))}`

  const first = new WebSocket(`${url}/`)
  const [[response]] = await Promise.all([once(first, 'upgrade'), once(first, 'open')])
  const result = { header: response.headers['x-by'], extensions: first.extensions, echoes: [] }
  for (const size of SIZES) {
    for (const payload of [textOf(size), bytesOf(size)]) {
      const answer = once(first, 'message')
      first.send(payload)
      const [data, isBinary] = await answer
      result.echoes.push(`${isBinary ? 'binary' : 'text'} ${digest(data)}`)
    }
  }
  const bytes = once(first, 'message')
  first.send('bytes')
  result.bytes = digest((await bytes)[0])

  const second = new CrossWebSocket(`${url}/`)
  await new Promise((resolve) => second.addEventListener('open', resolve))
  const heard = new Promise((resolve) =>
    second.addEventListener('message', ({ data }) => resolve(data), { once: true }),
  )
  first.send('publish the news')
  result.heard = await heard
  result.peers = [...ws.peers.values()].flatMap((peers) => [...peers]).length
  figure(
    'echoes a second',
    await echoRate({
      send: () => first.send('a short text'),
      onAnswer: (answered) => first.on('message', answered),
    }),
  )
  const ended = once(first, 'close')
  first.send('end')
  result.closed = (await ended).map(String)
  second.close(1_000, 'done')
  await until(() => seen.filter((line) => line.startsWith('close')).length === 2, 'the ends')

  const refused = new WebSocket(`${url}/refused`)
  refused.on('error', ({ message }) => (result.refused = message))
  await once(refused, 'close')
  const last = new WebSocket(`${url}/`)
  await once(last, 'open')
  const atTheEnd = once(last, 'close')
  ws.closeAll(1_001, 'the end')
  result.atTheEnd = (await atTheEnd).map(String)
  result.seen = seen
  await ws.close?.()
  await close(http)
  return result
}
