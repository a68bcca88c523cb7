/** What the application does wrong in an upgrade is heard once, and fails closed. In processes of their own. */
import { Programs } from '../helpers/child.js'
import { requestHead } from '../helpers/raw-peer.js'

const programs = new Programs()
afterAll(() => {
  programs.remove()
})

/** Serves with these options, asks once for each service, and prints status, errors and warnings. */
async function lines(options: string, service: string, times = 1): Promise<readonly string[]> {
  const program = programs.run(`
    import { accept, connect, WebSocketServer } from './src/index.js'
    process.on('warning', (warning) => console.log('warning', warning.code, warning.message))
    process.on('unhandledRejection', (error) => console.log('unhandled', error))
    const server = new WebSocketServer(${options})
    server.route('/', ${service})
    const { port } = await server.listen(0, '127.0.0.1')
    for (let i = 0; i < ${String(times)}; i++) {
      const result = await connect('ws://127.0.0.1:' + port + '/', { protocols: ['a'], origin: 'http://x.test', handshakeTimeoutMs: 3000 }).catch((error) => error)
      console.log(result.httpStatus ?? 'open')
    }
    await server.close({ timeoutMs: 300 })
  `)
  const { status, errors, lines: printed } = await program.ended
  expect(status).toBe(0)
  expect(errors.replace(/^\(node.*\n|^\s+at .*\n|^\(Use .*\n|^Error.*\n|^TypeError.*\n/gm, '')).toBe('')
  return printed
}

const TOLD = '{ onError: (error) => console.log("told", error.message) }'
const throws = "{ onUpgrade() { throw new Error('x') } }"

describe('an error of onUpgrade', () => {
  const because = 'the decision on an upgrade failed, and the server has no onError'

  it.each([
    ['throws', throws, 'x'],
    ['rejects', "{ onUpgrade: async () => { throw new Error('x') } }", 'x'],
    [
      'returns nothing',
      '{ onUpgrade() {} }',
      'onUpgrade must return accept(...) or reject(...), not undefined',
    ],
  ])('is reported to onError, or by one warning without it: %s', async (_, service, message) => {
    expect(await lines(TOLD, service)).toEqual([`told ${message}`, '500'])
    const printed = await lines('{}', service, 3)
    expect(printed.filter((line) => line === '500')).toHaveLength(3)
    expect(printed.filter((line) => line !== '500')).toEqual([
      `warning HAWSER_UNHANDLED_SERVER_ERROR ${because}: ${message}`,
    ])
  })

  it.each(["() => { throw new Error('y') }", "async () => { throw new Error('y') }"])(
    'causes a warning when onError itself fails: %s',
    async (onError) => {
      const printed = await lines(`{ onError: ${onError} }`, throws)
      expect(printed.filter((line) => line !== '500')).toEqual([
        'warning HAWSER_ON_ERROR_FAILED onError failed, called with "x": y',
      ])
    },
  )

  it('is not reported when onUpgrade stops because the peer is gone', async () => {
    const program = programs.run(`
      import { connect as netConnect } from 'node:net'
      import { WebSocketServer } from './src/index.js'
      process.on('warning', (warning) => console.log('warning', warning.message))
      const server = new WebSocketServer({ onError: (error) => console.log('told', error.message) })
      let aborted
      const seen = new Promise((resolve) => { aborted = resolve })
      server.route('/', { onUpgrade: ({ signal }) => new Promise((_, reject) => {
        signal.addEventListener('abort', () => { reject(signal.reason); setTimeout(aborted, 20) })
      }) })
      const { port } = await server.listen(0, '127.0.0.1')
      const peer = netConnect(port, '127.0.0.1')
      peer.write(${JSON.stringify(requestHead())})
      setTimeout(() => peer.resetAndDestroy(), 50)
      await seen
      console.log('done')
      await server.close({ timeoutMs: 100 })
    `)
    expect(await program.ended).toMatchObject({ lines: ['done'], errors: '' })
  })
})

describe('an async function in place of a synchronous one', () => {
  const promise = /not a promise/

  it.each([
    ['protocols that resolves', "protocols: async () => 'a'"],
    ['protocols that rejects', "protocols: async () => { throw new Error('x') }"],
    ['origins that resolves with true', 'origins: [async () => true]'],
    ['origins that rejects', "origins: [async () => { throw new Error('x') }]"],
  ])('gives a 500 and a TypeError that says so, and no unhandled rejection: %s', async (_, option) => {
    const printed = await lines(
      `{ ${option}, onError: (error) => console.log(error.constructor.name, error.message) }`,
      '{}',
    )
    expect(printed).toHaveLength(2)
    expect(printed[0]).toMatch(/^TypeError /)
    expect(printed[0]).toMatch(promise)
    expect(printed[1]).toBe('500')
  })

  it.each([
    ['protocols', "protocols: () => { throw new Error('x') }"],
    ['origins', "origins: [() => { throw new Error('x') }]"],
  ])('gives a 500, and onError gets the error, when it throws: %s', async (_, option) => {
    expect(await lines(`{ ${option}, onError: (error) => console.log(error.message) }`, '{}')).toEqual([
      'x',
      '500',
    ])
  })
})

describe('an error after the 101', () => {
  it('ends the connection, counts no open connection, and is reported', async () => {
    const program = programs.run(`
      import { connect, WebSocketServer } from './src/index.js'
      import { coreOfServer } from './src/server/websocket-server.js'
      const server = new WebSocketServer({ onError: (error) => console.log('told', error.message) })
      server.route('/', {})
      coreOfServer(server).options.extensions.accept = () => ({
        response: 'permessage-deflate',
        createCodec: () => { throw new Error('no memory') },
      })
      const { port } = await server.listen(0, '127.0.0.1')
      for (const directIo of [true, false]) {
        const socket = await connect('ws://127.0.0.1:' + port + '/').catch((error) => error)
        console.log(await (socket.receive?.().catch((error) => error.closeCode) ?? 'failed'))
        console.log('left', server.connectionCount)
      }
      await server.close()
    `)
    const { lines: printed, status } = await program.ended
    expect(printed.filter((line) => line === 'told no memory')).toHaveLength(2)
    expect(printed.filter((line) => line === 'left 0')).toHaveLength(2)
    expect(status).toBe(0)
  })
})
