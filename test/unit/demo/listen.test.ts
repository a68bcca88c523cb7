import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listenOnAll } from '../../../demo/listen.js'

const addressOf = (server: Server): AddressInfo => server.address() as AddressInfo
// TEST-NET-1 (RFC 5737): no machine has it.
const MISSING = '192.0.2.1'

describe('listening on all addresses of a name', () => {
  const made: Server[] = []
  const create = (): Server => {
    const server = createServer()
    made.push(server)
    return server
  }
  afterEach(() => {
    for (const server of made.splice(0)) server.close()
  })

  test('takes the same port on all', async () => {
    const servers = await listenOnAll(create, ['127.0.0.1', '::1'], 0)
    expect(addressOf(servers[0]).address).toBe('127.0.0.1')
    expect(new Set(servers.map((server) => addressOf(server).port)).size).toBe(1)
  })

  test('skips an address that the machine lacks', async () => {
    const servers = await listenOnAll(create, [MISSING, '127.0.0.1'], 0)
    expect(servers.map((server) => addressOf(server).address)).toEqual(['127.0.0.1'])
  })

  test('fails when the only address is one that the machine lacks', async () => {
    await expect(listenOnAll(create, [MISSING], 0)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  test('fails when the port is in use on one of them, and keeps none of the others', async () => {
    const other = create().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = addressOf(other)
    // Twice the same address is as good as one that another program has.
    await expect(listenOnAll(create, ['127.0.0.1'], port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(listenOnAll(create, ['127.0.0.1', '127.0.0.1'], 0)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    expect(made.filter((server) => server.listening)).toEqual([other])
  })
})
