/** The chat that the `hawser` command serves, over real sockets. */
import path from 'node:path'
import { connect, type ClientSocket, type ConnectOptions } from '../../src/index.js'
import { DemoServer } from '../../demo/demo-server.js'

let server: DemoServer
const sockets: ClientSocket[] = []

beforeAll(async () => {
  const pageDirectory = path.join(__dirname, '../../demo/page')
  server = await DemoServer.start({ host: 'localhost', port: 0, pageDirectory })
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
})
afterAll(async () => {
  await server.close()
})

async function join(room: string, name: string, options: ConnectOptions = {}): Promise<ClientSocket> {
  const target = `/chat/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`
  const socket = await connect(`ws://localhost:${String(server.port)}${target}`, options)
  sockets.push(socket)
  return socket
}
const next = async (socket: ClientSocket): Promise<unknown> => JSON.parse(String(await socket.receive()))
const statusOf = (promise: Promise<unknown>): Promise<number> =>
  promise.then(
    () => 101,
    (error: unknown) => (error as { httpStatus: number }).httpStatus,
  )

test('members of a room see who joins, what is said, and who leaves, and other rooms do not', async () => {
  const ada = await join('dogs', 'Ada', { protocols: 'chat.hawser' })
  expect(ada.protocol).toBe('chat.hawser')
  expect(await next(ada)).toEqual({ kind: 'welcome', name: 'Ada', people: 1 })
  const cat = await join('cats', 'Cat')
  expect(await next(cat)).toEqual({ kind: 'welcome', name: 'Cat', people: 1 })
  const bob = await join('dogs', 'Bob ⚓')
  expect(await next(bob)).toEqual({ kind: 'welcome', name: 'Bob ⚓', people: 2 })
  expect(await next(ada)).toEqual({ kind: 'joined', name: 'Bob ⚓', people: 2 })

  bob.send('woof <b>')
  expect(await next(ada)).toEqual({ kind: 'said', name: 'Bob ⚓', text: 'woof <b>' })
  expect(await next(bob)).toEqual({ kind: 'said', name: 'Bob ⚓', text: 'woof <b>', isOwn: true })
  await bob.close(1000)
  expect(await next(ada)).toEqual({ kind: 'left', name: 'Bob ⚓', people: 1 })
  // The first thing that the other room hears is its own.
  cat.send('meow')
  expect(await next(cat)).toMatchObject({ text: 'meow', isOwn: true })
})

test.each([
  ['no name', 'lobby', ''],
  ['a long name', 'lobby', 'x'.repeat(33)],
  ['a blank one', 'lobby', ' '],
  ['one with a line break', 'lobby', 'a\nb'],
  ['one that turns the text around', 'lobby', 'a\u202eb'],
  ['a long room', 'x'.repeat(33), 'Ada'],
  ['a blank room', ' ', 'Ada'],
])('the chat refuses %s with 400', async (_what, room, name) => {
  expect(await statusOf(join(room, name))).toBe(400)
})

test('the chat refuses a page of another origin, and a path with no room or with two', async () => {
  expect(await statusOf(join('lobby', 'Eve', { origin: 'https://evil.example' }))).toBe(403)
  expect(await statusOf(join('', 'Ada'))).toBe(404)
  expect(await statusOf(connect(`ws://localhost:${String(server.port)}/chat/a/b?name=c`))).toBe(404)
  expect((await fetch(`http://localhost:${String(server.port)}/chat/lobby`)).status).toBe(426)
})

test.each([
  ['bytes', Buffer.from('x'), 1003],
  ['a long message', 'x'.repeat(4097), 1009],
] as const)('the chat closes the connection for %s', async (_what, message, closeCode) => {
  const socket = await join('lobby', 'Ada')
  await next(socket)
  socket.send(message)
  await expect(socket.receive()).rejects.toMatchObject({ closeCode })
})

test('the chat closes connections with 1001 when the command ends', async () => {
  const pageDirectory = path.join(__dirname, '../../demo/page')
  const ending = await DemoServer.start({ host: 'localhost', port: 0, pageDirectory })
  const socket = await connect(`ws://localhost:${String(ending.port)}/chat/lobby?name=Ada`)
  sockets.push(socket)
  await next(socket)
  await ending.close()
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1001 })
})
