/** Known faults that no other file holds: the rest of a list of which every row is a test (protections/rows). */
import { connect, WebSocketServer, type ServerSocket } from '../../src/index.js'
import { afterwards, gate, stopAll, until } from '../helpers/liveness.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(async () => {
  await stopAll()
  stopServing()
})

it('an onClose that returns a thenable that throws is reported, and server.close waits for nothing', async () => {
  const errors: string[] = []
  const thenable = {
    then: () => {
      throw new Error('then')
    },
  }
  const { server, url } = await serve({
    onClose: () => thenable as unknown as Promise<void>,
    onError: (_, error) => void errors.push(error.message),
  })
  const client = await connect(url)
  await client.close(1000)
  const startedAt = performance.now()
  await server.close({ timeoutMs: 10_000 })
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  expect(errors).toEqual(['then'])
})

it('terminate in the function of a route calls onClose, after the function and onOpen', async () => {
  const log: string[] = []
  const { opened: closed, open: tell } = gate()
  const server = new WebSocketServer()
  afterwards(() => server.terminate())
  server.route('/', (socket) => {
    socket.terminate()
    log.push('made')
    return {
      onOpen: () => void log.push('onOpen'),
      onClose: (_, { code }) => {
        log.push(`onClose ${code}`)
        tell()
      },
    }
  })
  const { port } = await server.listen(0, '127.0.0.1')
  await connect(`ws://127.0.0.1:${port}/`).catch(() => undefined)
  await closed
  expect(log).toEqual(['made', 'onOpen', 'onClose 1006'])
  expect(server.connectionCount).toBe(0)
})

it.each(['in a handler', 'outside of one'])(
  'terminate returns before onClose is called, %s',
  async (where) => {
    const log: string[] = []
    let opened: ServerSocket | undefined
    const end = (socket: ServerSocket): void => {
      socket.terminate()
      log.push('returned')
    }
    const { url } = await serve({
      onOpen: (socket) => void (opened = socket),
      onMessage: (socket) => end(socket),
      onClose: () => void log.push('onClose'),
    })
    const client = await connect(url)
    afterwards(() => client.terminate())
    await until('the socket is there', () => opened !== undefined)
    if (where === 'in a handler') client.send('end')
    else end(opened!)
    await until('both were called', () => log.length === 2)
    expect(log).toEqual(['returned', 'onClose'])
  },
)
