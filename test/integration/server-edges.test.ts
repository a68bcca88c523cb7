/** Ends and edges that reading the engine with fresh eyes found. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { connect, WebSocketServer, type CloseInfo, type ServerService } from '../../src/index.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(stopServing)

describe('a handler that returns a thenable of its own making', () => {
  test('gets its next message and onClose when the thenable calls back at once', async () => {
    const closed = new Promise<CloseInfo>((resolve) => {
      void serve({
        onTextMessage: (_, text) =>
          ({ then: (done: (value: string) => void) => done(text) }) as Promise<string>,
        onClose: (_, info) => {
          resolve(info)
        },
      }).then(async ({ url }) => {
        const socket = await connect(url)
        for (const text of ['1', '2', '3']) {
          socket.send(text)
          expect(await socket.receive()).toBe(text)
        }
        await socket.close(1000)
      })
    })
    await expect(closed).resolves.toMatchObject({ code: 1000 })
  })

  test('fails with 1011, onError and onClose when the thenable throws', async () => {
    const log: string[] = []
    const closed = new Promise<void>((resolve) => {
      const thenable = {
        then: () => {
          throw new Error('then')
        },
      }
      void serve({
        onTextMessage: () => thenable as unknown as Promise<string>,
        onError: (_, error) => log.push(`error ${error.message}`),
        onClose: (_, { code }) => {
          log.push(`close ${String(code)}`)
          resolve()
        },
      }).then(async ({ url }) => {
        const socket = await connect(url)
        socket.send('x')
        await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1011 })
      })
    })
    await closed
    expect(log).toEqual(['error then', 'close 1011'])
  })

  test('is reported when it throws a value that has no text', async () => {
    const errors: Error[] = []
    const service: ServerService = {
      onTextMessage: () => {
        throw Object.create(null) as Error
      },
      onError: (_, error) => errors.push(error),
    }
    const { url } = await serve(service)
    const socket = await connect(url)
    socket.send('x')
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1011 })
    expect(errors[0]?.message).toBe('something was thrown that is no error and has no text')
  })
})

describe('closing', () => {
  test("a full inbox and a slow handler do not hide the peer's Close frame", async () => {
    let finish = (): void => undefined
    const { url, server } = await serve(
      { onTextMessage: () => new Promise<void>((resolve) => (finish = resolve)) },
      { limits: { maxQueuedMessages: 2 } },
    )
    const socket = await connect(url)
    for (let i = 0; i < 100; i++) socket.send(String(i))
    socket.ping()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const [ended] = await Promise.allSettled([socket.receive(), server.close({ timeoutMs: 500 })])
    expect(ended).toMatchObject({ status: 'rejected', reason: { closeCode: 1001 } })
    expect(await socket.close()).toMatchObject({ wasClean: true })
    finish()
  })

  test('close resolves with the CloseInfo that onClose gets', async () => {
    const told = new Promise<[CloseInfo, CloseInfo]>((resolve) => {
      let result: Promise<CloseInfo>
      void serve(
        {
          onTextMessage: async (socket) => {
            result = socket.close(4000, '', { timeoutMs: 10 })
            await result
          },
          onClose: async (_, info) => {
            resolve([info, await result])
          },
        },
        { limits: { maxQueuedMessages: 1 } },
      ).then(({ port }) => {
        const peer = connectTcp(port, '127.0.0.1')
        peer.write(
          'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
        )
        // Two messages, and no answer to the Close.
        peer.once('data', () => peer.write(Buffer.from('818100000000618181000000006200'.slice(0, 28), 'hex')))
      })
    })
    const [onClose, result] = await told
    expect(onClose).toEqual(result)
    expect(onClose).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
  })

  test('close while listen is under way settles both promises', async () => {
    const server = new WebSocketServer()
    const listening = server.listen(0, '127.0.0.1')
    const outcome = listening.then(
      () => 'listens',
      (error: unknown) => (error as Error).name,
    )
    await server.close()
    expect(['listens', 'InvalidStateError']).toContain(await outcome)
  })
})

test('a wrong handshake on a shared port is answered by the server that has its path', async () => {
  const server = new WebSocketServer()
  server.route('/ours', {})
  const http = createServer()
  http.on('upgrade', () => undefined)
  server.attach(http)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const peer = connectTcp((http.address() as AddressInfo).port, '127.0.0.1')
  peer.write('GET /ours HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  const [chunk] = (await once(peer, 'data')) as [Buffer]
  expect(chunk.toString()).toMatch(/^HTTP\/1\.1 426 /)
  peer.destroy()
  await server.close()
  http.close()
})
