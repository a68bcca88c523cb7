/** The pages on migrating name what Hawser has, and say "not yet" of what it does not have. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as endpoints from '../../src/endpoints/index.js'
import * as hawser from '../../src/index.js'
import * as json from '../../src/json/index.js'
import { WebSocket } from '../../src/whatwg/index.js'

const PAGES = ['from-ws.md', 'socket.io.md', 'ballerina.md', 'dirigible.md'] as const
const { connect, WebSocketServer } = hawser

/** The last cells of all tables of a page: what is said of Hawser. */
const cellsOf = (page: string): string[] =>
  readFileSync(path.join(__dirname, '../../docs/migrating', page), 'utf8')
    .split('\n')
    .filter((line) => /^\| .*\|$/.test(line) && !/^\| -+ \|/.test(line))
    .map((line) => line.split('|').at(-2)?.trim() ?? '')

const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')

/** The names of which a cell says that they are not there yet: those of the sentence that ends so. */
const missingIn = (cell: string): string[] =>
  cell
    .split(/[.;](?= )/)
    .filter((sentence) => sentence.includes('_not yet_'))
    .flatMap((sentence) => codeIn(sentence))
    .map((code) => /^\w+/.exec(code)?.[0] ?? '')

/** Whether `connect` takes an option of this name. */
function isConnectOption(name: string): boolean {
  try {
    // Ended before it begins: nothing is sent.
    connect('ws://localhost:1/', { signal: AbortSignal.abort(), [name]: undefined }).catch(() => undefined)
    return true
  } catch {
    return false
  }
}

test.each(PAGES)('everything that docs/migrating/%s names in its tables exists', async (page) => {
  const server = new WebSocketServer()
  const sockets: object[] = []
  const route = server.route('/', {
    onOpen(socket) {
      sockets.push(socket)
      socket.send('open')
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const client = await connect(`ws://127.0.0.1:${String(port)}/`)
  expect(await client.receive()).toBe('open')
  const owners: Readonly<Record<string, readonly object[]>> = {
    server: [server],
    route: [route],
    clients: [hawser.clients],
    socket: [client, ...sockets],
    '': [hawser, endpoints, json],
  }
  const names = cellsOf(page).flatMap((cell) =>
    [
      ...codeIn(cell)
        .join(' ')
        .matchAll(/\b(?:(server|route|clients|socket)\.(\w+)|((?:serve|list|track|current)[A-Z]\w+))/g),
    ].map(([, owner = '', member, own = '']) => [owner, member ?? own] as const),
  )
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter(([owner, name]) => !(owners[owner] ?? []).some((object) => name in object))).toEqual([])
  await client.close()
  await server.close()
})

test.each(PAGES)('everything that docs/migrating/%s marks as not there yet does not exist', async (page) => {
  const server = new WebSocketServer()
  server.route('/', {})
  const { port } = await server.listen(0, '127.0.0.1')
  const client = await connect(`ws://127.0.0.1:${String(port)}/`)
  const missing = cellsOf(page).flatMap(missingIn)
  expect(cellsOf(page).length).toBeGreaterThan(5)
  expect(missing.filter((name) => name in hawser || name in client || isConnectOption(name))).toEqual([])
  await client.close()
  await server.close()
})

test("the browser's WebSocket is in hawser/whatwg, and not beside connect", () => {
  expect('WebSocket' in hawser).toBe(false)
  expect(WebSocket.prototype).toBeInstanceOf(EventTarget)
})
