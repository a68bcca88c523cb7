/** The functions of `hawser/endpoints` beside what test/integration/dirigible-rows.test.ts shows, and what they stand on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { listEndpoints, serveDirectory, serveEndpoint } from '../../../src/endpoints/index.js'
import { WebSocketServer } from '../../../src/index.js'

const service = { onOpen: () => undefined }

describe('the base of the endpoints', () => {
  it('lists the routes of a server in the order in which they were added', () => {
    const server = new WebSocketServer()
    const routes = ['/a', '/b/:name', '/c'].map((at) => server.route(at, service))
    expect(server.routes()).toEqual(routes)
    server.unroute('/b/:name')
    server.unroute('/a')
    server.route('/a', service)
    expect(server.routes().map((route) => route.path)).toEqual(['/c', '/a'])
  })

  it.each(['close', 'terminate'] as const)('aborts the signal of a server when %s is called', async (end) => {
    const server = new WebSocketServer()
    const { signal } = server
    expect(signal.aborted).toBe(false)
    await server[end]()
    expect(signal.aborted).toBe(true)
    expect(server.signal).toBe(signal)
  })
})

describe('hawser/endpoints', () => {
  it('refuses what is not a server, and wrong options', async () => {
    const server = new WebSocketServer()
    expect(() => serveEndpoint({} as never, 'a', service)).toThrow(
      new TypeError('server must be a WebSocketServer, not an object'),
    )
    expect(() => listEndpoints(undefined as never)).toThrow(
      /^server must be a WebSocketServer, not undefined/,
    )
    await expect(serveDirectory(5 as never, 'x')).rejects.toThrow(/^server must be a WebSocketServer, not 5/)
    await expect(serveDirectory(server, 'x', { onErorr: () => undefined } as never)).rejects.toThrow(
      /no option "onErorr"; there are prefix, onError; did you mean onError\?$/,
    )
    await expect(serveDirectory(server, 'x', { onError: 5 } as never)).rejects.toThrow(
      /^onError must be a function, not 5/,
    )
  })

  it.each(['', 'chat/', '/chat', '//', '/../', '/a b/', '/:id/', '/*/', '/a\n/', 5])(
    'refuses the prefix %p before a path is served',
    async (prefix) => {
      const server = new WebSocketServer()
      const options = { prefix: prefix as string }
      expect(() => serveEndpoint(server, 'a', service, options)).toThrow(/^prefix must be letters.* not /s)
      await expect(serveDirectory(server, 'x', options)).rejects.toThrow(TypeError)
      expect(server.routes()).toEqual([])
    },
  )

  it.each([
    ['/', '/a'],
    ['/websockets/v4/service/', '/websockets/v4/service/a'],
  ])('serves an endpoint at the prefix %s and its name', (prefix, at) => {
    const server = new WebSocketServer()
    expect(serveEndpoint(server, 'a', service, { prefix }).path).toBe(at)
    expect(listEndpoints(server)).toEqual([{ name: 'a', path: at, description: '' }])
  })

  it('does not list an endpoint whose path has another service now', () => {
    const server = new WebSocketServer()
    serveEndpoint(server, 'a', service)
    serveEndpoint(server, 'b', service)
    server.unroute('/service/a')
    server.route('/service/a', service)
    expect(listEndpoints(server).map(({ name }) => name)).toEqual(['b'])
  })

  it('goes on reading when onError throws or rejects, and onError of the server hears of it', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-endpoints-'))
    const heard: string[] = []
    const onServerError = (error: Error): void => void heard.push(error.message)
    const server = new WebSocketServer({ onError: onServerError })
    const until = async (count: number): Promise<void> => {
      while (heard.length < count) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const failures = [
      () => {
        throw new Error('thrown')
      },
      () => Promise.reject(new Error('rejected')),
    ]
    try {
      await serveDirectory(server, directory, { onError: () => failures.shift()?.() as never })
      writeFileSync(path.join(directory, 'a.websocket.json'), '{')
      await until(1)
      writeFileSync(path.join(directory, 'a.websocket.json'), '[')
      await until(2)
      expect(heard).toEqual(['thrown', 'rejected'])
    } finally {
      server.terminate()
      rmSync(directory, { recursive: true })
    }
  })

  it('warns of a file that is wrong after a change when there is no onError', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-endpoints-'))
    const server = new WebSocketServer()
    const emit = jest.spyOn(process, 'emitWarning')
    try {
      await serveDirectory(server, directory)
      const warned = new Promise<unknown[]>((resolve) => {
        emit.mockImplementationOnce((...given: unknown[]) => {
          resolve(given)
        })
      })
      writeFileSync(path.join(directory, 'a.websocket.json'), '{')
      const [warning, options] = await warned
      expect(JSON.stringify([String(warning), options])).toMatch(
        /a\.websocket\.json must be JSON.*HAWSER_UNHANDLED_ENDPOINT_ERROR/,
      )
    } finally {
      emit.mockRestore()
      server.terminate()
      rmSync(directory, { recursive: true })
    }
  })
})
