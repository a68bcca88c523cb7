/** The client of docs/recovery.md, as a browser would run it: with the `WebSocket` of browsers and a `localStorage`. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { runInNewContext } from 'node:vm'
import { memoryHistory } from '../../src/recovery/index.js'
import { WebSocket } from '../../src/whatwg/index.js'
import { numbered, until } from '../helpers/recovery-world.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(stopServing)

const page = readFileSync(path.join(__dirname, '../../docs/recovery.md'), 'utf8')
const code = /<!-- browser client -->\n\n```js\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ''

interface Given {
  readonly onMessage: (message: string) => void
  readonly onRecovered: (outcome: object) => void
  readonly retryMs: number
}

/** A window of a browser: its storage outlives it. */
function openWindow(storage: Map<string, string>): {
  recoveringSocket(url: string, given: Given): { send(text: string): void }
  close(): void
} {
  const sockets: WebSocket[] = []
  let isOpen = true
  class Opened extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const globals = {
    WebSocket: Opened,
    localStorage: {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => void storage.set(key, value),
    },
    setTimeout: (call: () => void, ms: number) => setTimeout(() => isOpen && call(), ms),
  }
  const recoveringSocket = runInNewContext(`${code}\nrecoveringSocket`, globals) as never
  return {
    recoveringSocket,
    close: () => {
      isOpen = false
      for (const socket of sockets) socket.close()
    },
  }
}

it('the client of docs/recovery.md gets what it missed over a reconnect and a reload of its page', async () => {
  expect(code.split('\n').length).toBeLessThanOrEqual(43)
  const { server, url } = await serve(
    {
      onOpen: (socket) => {
        socket.join('room:1')
      },
      onTextMessage: (_, text) => `echo ${text}`,
    },
    { recovery: { history: memoryHistory(), groups: ['room:1'] } },
  )
  const room = server.group('room:1')
  const storage = new Map<string, string>()
  const got: string[] = []
  const outcomes: object[] = []
  const given = {
    onMessage: (message: string) => got.push(message),
    onRecovered: (outcome: object) => outcomes.push({ ...outcome }),
    retryMs: 5,
  }
  const first = openWindow(storage)
  const socket = first.recoveringSocket(url, given)
  await until(() => server.stats().recovery?.members === 1, 'the member')
  await room.publish('m0')
  await until(() => got.length === 1, 'the first message')
  socket.send('hello')
  await until(() => got.length === 2, 'the echo')
  expect(got.splice(1)).toEqual(['echo hello'])
  for (const one of server.sockets) one.terminate()
  for (const text of numbered(3, 1)) await room.publish(text)
  await until(() => outcomes.length === 1, 'the outcome')
  first.close()
  await until(() => server.connectionCount === 0, 'the end of the page')
  for (const text of numbered(3, 4)) await room.publish(text)
  const second = openWindow(storage)
  second.recoveringSocket(url, given)
  await until(() => outcomes.length === 2, 'the second outcome')
  expect(got).toEqual(numbered(7))
  expect(outcomes).toMatchObject([
    { group: 'room:1', recovered: true, count: 3 },
    { group: 'room:1', recovered: true, count: 3 },
  ])
  second.close()
})
