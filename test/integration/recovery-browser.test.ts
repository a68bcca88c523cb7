/** The client of docs/recovery.md, as a browser would run it: with the `WebSocket` of browsers and a `sessionStorage`. */
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
  readonly onMessage: (message: string | ArrayBuffer) => void
  readonly onRecovered: (outcome: object) => void
  readonly retryMs: number
}

/** A window of a browser: its storage outlives it. */
function openWindow(storage: Map<string, string>): {
  recoveringSocket(url: string, given: Given): { send(data: string | Uint8Array): void }
  close(): void
} {
  const sockets: WebSocket[] = []
  let isOpen = true
  class Opened extends WebSocket {
    constructor(url: string, protocols?: string) {
      super(url, protocols ?? [])
      sockets.push(this)
    }
  }
  const globals = {
    WebSocket: Opened,
    Blob,
    sessionStorage: {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => void storage.set(key, value),
    },
    setTimeout: (call: (value: boolean) => void, ms: number, value: boolean) =>
      setTimeout(() => isOpen && call(value), ms),
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
  expect(code.split('\n').length).toBeLessThanOrEqual(75)
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
  const got: (string | ArrayBuffer)[] = []
  const outcomes: object[] = []
  const given = {
    onMessage: (message: string | ArrayBuffer) => got.push(message),
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

it('the client of docs/recovery.md stores what control messages say, and what it got after its handler', async () => {
  const { server, url } = await serve(
    { onOpen: (socket) => void socket.join('room:1') },
    { recovery: { history: memoryHistory(), groups: ['room:1'] } },
  )
  const stored = (): unknown => JSON.parse(storage.get(`hawser ${url}`) ?? '[]')
  const storage = new Map<string, string>()
  const atHandler: unknown[] = []
  const page = openWindow(storage)
  const onMessage = (): void => void atHandler.push(stored())
  page.recoveringSocket(url, { onMessage, onRecovered: () => undefined, retryMs: 5 })
  await until(() => JSON.stringify(stored()).includes('"offset":0'), 'the position at the join')
  const { epoch } = await server.group('room:1').publish('m0')
  await until(() => JSON.stringify(stored()).includes('"offset":1'), 'the position of the message')
  expect(atHandler).toEqual([[['room:1', { epoch, offset: 0 }]]])
  for (const socket of server.sockets) socket.leave('room:1')
  await until(() => storage.get(`hawser ${url}`) === '[]', 'the end of the membership')
  page.close()
})

it('the client of docs/recovery.md sends what waited for the connection, and takes bytes of both kinds', async () => {
  const { server, url } = await serve(
    {
      onOpen: (socket) => void socket.join('room:1'),
      onMessage: (_, message) => message,
    },
    { recovery: { history: memoryHistory(), groups: ['room:1'] } },
  )
  const page = openWindow(new Map())
  const got: (string | ArrayBuffer)[] = []
  const onMessage = (message: string | ArrayBuffer): void => void got.push(message)
  const socket = page.recoveringSocket(url, { onMessage, onRecovered: () => undefined, retryMs: 5 })
  socket.send('text')
  socket.send(new Uint8Array([1, 2, 3]))
  for (let count = 2; count < 100; count++) socket.send('more')
  expect(() => {
    socket.send('too much')
  }).toThrow('not connected, and 100 messages wait to be sent')
  await until(() => got.length === 100, 'the echoes')
  await server.group('room:1').publish(new Uint8Array([0x32, 0xff]))
  await until(() => got.length === 101, 'the published bytes')
  const bytes = [got[1], got[100]].map((data) => [...new Uint8Array(data as ArrayBuffer)])
  expect([got[0], ...bytes]).toEqual(['text', [1, 2, 3], [0x32, 0xff]])
  page.close()
})

it('the client of docs/recovery.md connects to a server without recovery, and says so for what it knew', async () => {
  const { server, url } = await serve({
    onOpen: (socket) => void socket.send('plain'),
    onMessage: (_, message) => message,
  })
  const storage = new Map([[`hawser ${url}`, '[["room:1",{"epoch":"e","offset":4}]]']])
  const page = openWindow(storage)
  const got: unknown[] = []
  const outcomes: object[] = []
  const socket = page.recoveringSocket(url, {
    onMessage: (message) => got.push(message),
    onRecovered: (outcome) => outcomes.push({ ...outcome }),
    retryMs: 5,
  })
  socket.send('2 waits')
  await until(() => got.length === 2, 'a greeting and an echo')
  expect(got).toEqual(['plain', '2 waits'])
  expect(outcomes).toEqual([{ group: 'room:1', recovered: false, reason: 'unsupported' }])
  expect(storage.get(`hawser ${url}`)).toBe('[]')
  expect(server.connectionCount).toBe(1)
  page.close()
})
