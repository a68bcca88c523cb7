/** y-websocket: two documents converge, a third one comes later, awareness is shared, an interrupted one catches up. */
import { createServer } from 'node:http'
import { docs, setupWSConnection } from '@y/websocket-server/utils'
import WebSocket, { WebSocketServer } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { close, digest, listen, textOf, until } from '../lib/tools.mjs'

const stateOf = (doc) => digest(Y.encodeStateAsUpdate(doc))
const EDITS = 2_000

async function join(url, name) {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, 'room', doc, { WebSocketPolyfill: WebSocket, disableBc: true })
  await until(() => provider.synced, `${name} in sync`)
  return { doc, provider, text: doc.getText('text'), map: doc.getMap('map') }
}

export async function run({ figure }) {
  const http = createServer()
  const wss = new WebSocketServer({ server: http })
  wss.on('connection', setupWSConnection)
  const url = `ws://127.0.0.1:${String(await listen(http))}`
  const [first, second] = [await join(url, 'the first'), await join(url, 'the second')]

  const began = performance.now()
  for (let index = 0; index < EDITS; index += 1) {
    const { text, map } = index % 2 === 0 ? first : second
    text.insert(Math.floor(text.length / 2), textOf(1 + (index % 50)))
    map.set(`key ${String(index % 17)}`, index)
  }
  first.map.set('bytes', new Uint8Array([1, 2, 3]))
  first.text.insert(0, textOf(400_000))
  await until(
    () => stateOf(first.doc) === stateOf(second.doc) && second.map.get('bytes') !== undefined,
    'convergence',
  )
  figure('edits a second', Math.round((EDITS * 2) / ((performance.now() - began) / 1000)))
  const result = { converged: first.text.toString() === second.text.toString(), length: first.text.length }

  const third = await join(url, 'the third')
  result.third = third.text.toString() === first.text.toString() && third.map.get('bytes').length === 3

  first.provider.awareness.setLocalState({ name: 'first', cursor: 7 })
  const seen = () => [...third.provider.awareness.getStates().values()].find(({ name }) => name === 'first')
  result.awareness = await until(seen, 'awareness')

  second.provider.disconnect()
  await until(() => wss.clients.size === 2, 'the interruption')
  first.text.insert(0, 'while the second was away ')
  second.text.insert(second.text.length, ' written alone')
  second.provider.connect()
  await until(
    () => stateOf(first.doc) === stateOf(second.doc) && first.text.toString().endsWith('alone'),
    'convergence again',
  )
  await until(() => stateOf(third.doc) === stateOf(first.doc), 'the third one')
  result.again = [first.text.toString().slice(0, 25), second.text.toString() === third.text.toString()]

  // The server forgets the connections: the providers come back by themselves.
  for (const client of wss.clients) client.terminate()
  await until(() => wss.clients.size === 3 && second.provider.synced, 'three that reconnect')
  const shared = [...docs.values()]
  for (const { provider, doc } of [first, second, third]) {
    provider.destroy()
    provider.awareness.destroy()
    doc.destroy()
  }
  await until(() => wss.clients.size === 0, 'the end')
  for (const { awareness } of shared) awareness.destroy()
  wss.close()
  await close(http)
  return result
}
