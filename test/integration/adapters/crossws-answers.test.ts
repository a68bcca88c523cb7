/** hawser/crossws: what the functions of the application answer and throw is what they may, or an error that is heard once. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  crosswsAdapter,
  plugin,
  type CrosswsAdapter,
  type CrosswsAdapterOptions,
  type CrosswsHooks,
} from '../../../src/adapters/crossws.js'
import { accept, connect, HandshakeError, reject, type ClientSocket } from '../../../src/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function listen(http: Server): Promise<string> {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/path`
}

interface Served {
  readonly url: string
  readonly made: CrosswsAdapter
  /** What the server's onError heard. */
  readonly errors: string[]
}

async function serve(options: object): Promise<Served> {
  const errors: string[] = []
  const serverOptions = { onError: (error: Error) => errors.push(error.message) }
  const made = crosswsAdapter({ ...(options as CrosswsAdapterOptions), serverOptions })
  const http = createServer()
  made.attach(http)
  cleanups.push(() => {
    made.closeAll(undefined, undefined, true)
    return made.close()
  })
  return { url: await listen(http), made, errors }
}

/** @returns the connection, or the refusal */
async function ask(url: string, protocols?: readonly string[]): Promise<ClientSocket | HandshakeError> {
  try {
    const socket = await connect(url, protocols === undefined ? {} : { protocols })
    cleanups.push(() => {
      socket.terminate()
    })
    return socket
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
}

const statusOf = (answer: ClientSocket | HandshakeError): number | undefined =>
  answer instanceof HandshakeError ? answer.httpStatus : 101

/** Asks once. @returns the status, and what the server's onError heard */
async function outcome(options: object, protocols?: readonly string[]): Promise<readonly unknown[]> {
  const { url, errors } = await serve(options)
  const status = statusOf(await ask(url, protocols))
  await turns()
  return [status, ...errors]
}

/** As many turns as what was rejected needs to be heard. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1))
  await turns()
}

const rejecting = (message: string): Promise<never> => Promise.reject(new Error(message))
const throwing = (message: string): never => {
  throw new Error(message)
}

/** As a package has it that brings its own: not of the class of this process. */
class OtherResponse {
  readonly status = 401
  readonly statusText = ''
  readonly ok = false
  readonly headers = new Map([['x-why', 'because']])
  readonly body = [Buffer.from('not '), Buffer.from('you')]
  readonly [Symbol.toStringTag] = 'Response'
}

class Session {
  readonly namespace = 'of a class'
}

const UPGRADE_RULE =
  'the hook upgrade must return nothing, a Response, or a plain object of headers, protocol, namespace, context and handled, not'
const NAMES = 'there are headers, protocol, namespace, context, handled, perMessageDeflate'
const IN_IT = 'in what the hook upgrade returns, '

describe('The hook upgrade', () => {
  it.each([
    ['false', false, `${UPGRADE_RULE} false`],
    ['true', true, `${UPGRADE_RULE} true`],
    ['a number', 1, `${UPGRADE_RULE} 1`],
    ['no text', '', `${UPGRADE_RULE} ""`],
    ['a text', 'yes', `${UPGRADE_RULE} "yes"`],
    ['an array', [], `${UPGRADE_RULE} an array`],
    ['an Error', new Error('no'), `${UPGRADE_RULE} an object of a class`],
    ['reject', reject(401), `${UPGRADE_RULE} an object of a class`],
    ['accept', accept({}), `${UPGRADE_RULE} an object of a class`],
    ['an object of a class', new Session(), `${UPGRADE_RULE} an object of a class`],
    [
      'a status',
      { status: 401 },
      `what the hook upgrade returns has no option "status"; ${NAMES}; to refuse the upgrade, return a Response`,
    ],
    [
      'no ok',
      { ok: false },
      `what the hook upgrade returns has no option "ok"; ${NAMES}; to refuse the upgrade, return a Response`,
    ],
    ['handled', { handled: 'yes' }, `${IN_IT}handled must be true or false, not "yes"`],
    ['a namespace', { namespace: 1 }, `${IN_IT}namespace must be a string that is not empty, not 1`],
    ['a namespace', { namespace: 1 }, `${IN_IT}namespace must be a string that is not empty, not 1`],
    ['a protocol', { protocol: 1 }, `${IN_IT}protocol must be a string, not 1`],
    ['a context', { context: [] }, `${IN_IT}context must be an object, not an array`],
    ['a context', { context: 'ada' }, `${IN_IT}context must be an object, not "ada"`],
    [
      'headers',
      { headers: 1 },
      `${IN_IT}headers must be Headers, an object of headers or their pairs, not 1`,
    ],
  ])('that returns %s (%j) does not accept', async (_name, answer, message) => {
    const expected = [500, message]
    expect(await outcome({ hooks: { upgrade: () => answer } })).toEqual(expected)
    expect(await outcome({ resolve: () => ({ upgrade: () => Promise.resolve(answer) }) })).toEqual(expected)
    // Nor where that of the request's own has an answer that is right.
    const both = { hooks: { upgrade: () => answer }, resolve: () => ({ upgrade: () => ({}) }) }
    expect(await outcome(both)).toEqual(expected)
  })

  it('that returns promises in an object does not accept, and what they reject with ends nothing', async () => {
    const answers: readonly (readonly [() => object, string])[] = [
      [() => ({ namespace: Promise.resolve('a') }), `${IN_IT}namespace must not be a promise: await it`],
      [
        () => ({ context: rejecting('of the context'), namespace: rejecting('of the namespace') }),
        `${IN_IT}context must not be a promise: await it`,
      ],
      [
        () => ({ user: rejecting('of the user') }),
        `what the hook upgrade returns has no option "user"; ${NAMES}`,
      ],
    ]
    for (const [upgrade, message] of answers) {
      expect(await outcome({ hooks: { upgrade } })).toEqual([500, message])
    }
  })

  it.each([
    [undefined],
    [null],
    [{}],
    [Object.create(null) as object],
    [{ headers: undefined, namespace: undefined, context: undefined, handled: undefined }],
    [{ headers: [['x-a', 'b']], namespace: 'a', context: { user: 'ada' }, handled: false }],
    [{ headers: null, protocol: null, namespace: null, context: null, handled: null }],
    [{ namespace: '' }],
    [{ perMessageDeflate: false }],
  ])('that returns %j accepts', async (answer) => {
    expect(await outcome({ hooks: { upgrade: () => answer } })).toEqual([101])
  })

  it.each([
    ['returns', () => new OtherResponse()],
    [
      'throws',
      (): never => {
        throw new OtherResponse() as unknown as Error
      },
    ],
  ])('that %s a Response of another class ends the upgrade with it', async (_name, upgrade) => {
    const { url, errors } = await serve({ hooks: { upgrade } })
    const refused = (await ask(url)) as HandshakeError
    expect([refused.httpStatus, Buffer.from(refused.response?.body ?? '').toString()]).toEqual([
      401,
      'not you',
    ])
    expect(new Headers(refused.response?.headers as [string, string][]).get('x-why')).toBe('because')
    expect(errors).toEqual([])
  })
})

const ALL_HOOKS = 'upgrade, open, message, drain, close, error, ping, pong'

describe('resolve', () => {
  const rule = `resolve must give hooks (${ALL_HOOKS}) or nothing, not`
  it.each([
    ['false', false, `${rule} false`],
    ['true', true, `${rule} true`],
    ['a number', 1, `${rule} 1`],
    ['a text', 'yes', `${rule} "yes"`],
    ['an array', [], `${rule} an array`],
    ['a status', { status: 401 }, `${rule} an object without any of them`],
    ['reject', reject(401), `${rule} an object without any of them`],
    ['a Response', new Response('no', { status: 401 }), `${rule} an object without any of them`],
    ['a function', () => ({}), `${rule} a function`],
    [
      'a hook that is not one',
      { error: 'who are you?' },
      'the hook error must be a function, not "who are you?"',
    ],
  ])('that finds %s does not accept', async (_name, found, message) => {
    expect(await outcome({ resolve: () => found })).toEqual([500, message])
    expect(await outcome({ resolve: () => Promise.resolve(found) })).toEqual([500, message])
  })

  it('may find nothing, no hooks, hooks of a class and hooks beside other names', async () => {
    class Hooks {
      readonly rooms = 1
      open(): void {
        this.rooms.toFixed()
      }
    }
    for (const found of [undefined, null, {}, new Hooks(), { message: () => undefined, rooms: 1 }]) {
      expect(await outcome({ resolve: () => found })).toEqual([101])
    }
    expect(() => crosswsAdapter({ hooks: { open: 1 } as never })).toThrow(
      'the hook open must be a function, not 1',
    )
  })
})

describe('fetch of the server, which finds the hooks for the plugin', () => {
  /** @returns the status, and what the server's onError heard */
  async function byFetch(fetch: () => unknown): Promise<readonly unknown[]> {
    const http = createServer()
    const errors: string[] = []
    const serverOptions = { onError: (error: Error) => errors.push(error.message) }
    const server = {
      options: { fetch },
      node: { server: http },
      serve: () => undefined,
      close: () => Promise.resolve(),
    }
    plugin({ options: { hawser: { serverOptions } } })(server)
    server.serve()
    cleanups.push(() => server.close())
    return [statusOf(await ask(await listen(http))), ...errors]
  }

  const rule = 'fetch must answer with nothing, a Response, or a plain object of crossws and headers, not'
  const found = `fetch must give hooks (${ALL_HOOKS}) or nothing, not`
  it.each([
    ['false', () => false, [500, `${rule} false`]],
    ['a text', () => 'yes', [500, `${rule} "yes"`]],
    ['an array', () => [], [500, `${rule} an array`]],
    ['reject', () => reject(401), [500, `${rule} an object of a class`]],
    [
      'a status',
      () => ({ status: 401 }),
      [500, 'what fetch answers has no option "status"; there are crossws, headers'],
    ],
    ['hooks that are none', () => ({ crossws: false }), [500, `${found} false`]],
    [
      'a wrong answer of a hook beside headers',
      () => ({ crossws: { upgrade: () => false }, headers: { 'x-a': 'b' } }),
      [500, `${UPGRADE_RULE} false`],
    ],
    [
      'a promise of headers',
      () => ({ headers: rejecting('of the headers') }),
      [500, 'headers of what fetch answers must not be a promise: await it'],
    ],
    ['a Response of another class', () => new OtherResponse(), [401]],
    [
      'no hooks where there might be some',
      () => Object.assign(new Response('', { status: 426 }), { crossws: null }),
      [426],
    ],
    ['nothing', () => undefined, [101]],
    ['headers', () => ({ headers: { 'x-a': 'b' } }), [101]],
  ])('and answers with %s', async (_name, fetch, expected) => {
    expect(await byFetch(fetch)).toEqual(expected)
  })
})

describe('getNamespace', () => {
  const rule = 'getNamespace must return a string that is not empty, not'
  const promise =
    'getNamespace must return a string, not a promise: the hook upgrade may be async, and may return a namespace'
  it.each([
    ['a promise', () => Promise.resolve('a'), promise],
    ['a promise that rejects', () => rejecting('of the namespace'), promise],
    ['undefined', () => undefined, `${rule} undefined`],
    ['null', () => null, `${rule} null`],
    ['a number', () => 1, `${rule} 1`],
    ['an object', () => ({}), `${rule} an object`],
    ['no text', () => '', `${rule} ""`],
    ['what it throws', () => throwing('of getNamespace'), 'of getNamespace'],
  ])('that returns %s does not accept', async (_name, getNamespace, message) => {
    const { url, made, errors } = await serve({ getNamespace })
    expect(statusOf(await ask(url))).toBe(500)
    await turns()
    expect(errors).toEqual([message])
    expect([...made.peers.keys()]).toEqual([])
  })
})

describe('handleProtocols', () => {
  const rule = 'handleProtocols must return one of the subprotocols offered, or false or undefined, not'
  it.each([
    [1, `${rule} 1`],
    [true, `${rule} true`],
    [[], `${rule} an array`],
    [{}, `${rule} an object`],
  ])('that chooses %j does not accept', async (chosen, message) => {
    expect(await outcome({ handleProtocols: () => chosen }, ['a'])).toEqual([500, message])
    const later = { handleProtocols: () => Promise.resolve(chosen) }
    expect(await outcome(later, ['a'])).toEqual([500, message])
  })

  it.each([[false], [undefined], [null], ['']])('that chooses %j chooses none', async (chosen) => {
    const { url, errors } = await serve({ handleProtocols: () => chosen })
    const socket = (await ask(url, ['a'])) as ClientSocket
    expect([statusOf(socket), socket.protocol, errors]).toEqual([101, '', []])
  })
})

describe('sync', () => {
  const rule = 'sync must return a driver, with subscribe and publish, not'
  it.each([
    [
      'a promise',
      () => rejecting('of the driver'),
      'sync must return a driver, not a promise: it must not be async, its subscribe may be async',
    ],
    ['nothing', () => undefined, `${rule} undefined`],
    ['a number', () => 1, `${rule} 1`],
    ['no driver', () => ({ subscribe: () => undefined }), `${rule} an object`],
    ['what it throws', () => throwing('of sync'), 'of sync'],
  ])('that makes %s makes no adapter', (_name, sync, message) => {
    expect(() => crosswsAdapter({ sync: sync as never })).toThrow(message)
  })

  it.each([
    ['throws', () => throwing('of onError')],
    ['rejects', () => rejecting('of onError')],
  ])('has an onError that %s, which the server hears once', async (_name, fail) => {
    const stages: string[] = []
    const { made, errors } = await serve({
      onError: (_error: unknown, { stage }: { stage: string }) => {
        stages.push(stage)
        return fail()
      },
      sync: () => ({
        subscribe: (deliver: (message: unknown) => void) => {
          deliver(undefined)
          return rejecting('of subscribe')
        },
        publish: () => throwing('of publish'),
      }),
    })
    made.publish('topic', 'data')
    await turns()
    expect(stages.sort()).toEqual(['delivery', 'publish', 'subscribe'])
    expect(errors).toEqual(['of onError', 'of onError', 'of onError'])
  })
})

describe('A ping with data that it cannot carry', () => {
  const tooLong = 'x'.repeat(126)
  const pinging: CrosswsHooks = {
    message: (peer) => {
      peer.ping(tooLong)
      peer.send('after the ping')
    },
  }
  it.each([
    ['throws', () => throwing('of the hook error')],
    ['rejects', () => rejecting('of the hook error')],
  ])('is heard by a hook error, and what that %s by the server', async (_name, fail) => {
    const heard: string[] = []
    const error: CrosswsHooks['error'] = (_peer, { name }) => {
      heard.push(name)
      return fail()
    }
    const { url, errors } = await serve({ hooks: { ...pinging, error } })
    const socket = (await ask(url)) as ClientSocket
    socket.send('')
    expect(await socket.receive()).toBe('after the ping')
    await turns()
    expect([heard, errors]).toEqual([['WSError'], ['of the hook error']])
  })

  it('is heard by the server where there is no hook error', async () => {
    const { url, errors } = await serve({ hooks: pinging })
    const socket = (await ask(url)) as ClientSocket
    socket.send('')
    expect(await socket.receive()).toBe('after the ping')
    expect(errors).toEqual([expect.stringContaining('125')])
  })
})

describe('Two hooks of one name', () => {
  const own =
    (hooks: CrosswsHooks): (() => CrosswsHooks) =>
    () =>
      hooks
  it.each([
    ['the first rejects and the second throws', () => rejecting('of all'), () => throwing('of its own')],
    ['both throw', () => throwing('of all'), () => throwing('of its own')],
    ['the first throws and the second rejects', () => throwing('of all'), () => rejecting('of its own')],
    ['both reject', () => rejecting('of all'), () => rejecting('of its own')],
    [
      'both reject, the second first',
      () => turns().then(() => throwing('of all')),
      () => rejecting('of its own'),
    ],
  ])('of which %s are both heard, once', async (_name, first, second) => {
    const heard: string[] = []
    const failing = { hooks: { message: first }, resolve: own({ message: second }) }
    const byServer = await serve(failing)
    const listening = { message: second, error: (_: unknown, { message }: Error) => void heard.push(message) }
    const byHook = await serve({ ...failing, resolve: own(listening) })
    for (const { url } of [byServer, byHook]) {
      const socket = (await ask(url)) as ClientSocket
      socket.send('')
      expect((await socket.closed).code).toBe(1011)
    }
    await until(() => byServer.errors.length >= 2 && heard.length >= 2)
    const both = ['of all', 'of its own']
    expect([byServer.errors.sort(), heard.sort(), byHook.errors]).toEqual([both, both, []])
  })

  it('are both heard by the server where they are hooks error', async () => {
    const { url, errors } = await serve({
      hooks: { message: () => throwing('of the message'), error: () => rejecting('of all') },
      resolve: own({ error: () => rejecting('of its own') }),
    })
    const socket = (await ask(url)) as ClientSocket
    socket.send('')
    await socket.closed
    await until(() => errors.length >= 2)
    expect(errors.sort()).toEqual(['of all', 'of its own'])
  })

  it('are not both heard where the second fails only because the first ended the connection', async () => {
    const ended: string[] = []
    const { url, errors } = await serve({
      hooks: { message: () => rejecting('of all') },
      resolve: own({
        message: async ({ raw }) => {
          try {
            await raw?.closed
            raw?.signal.throwIfAborted()
          } finally {
            ended.push('the second')
          }
        },
      }),
    })
    const socket = (await ask(url)) as ClientSocket
    socket.send('')
    await socket.closed
    await until(() => ended.length > 0)
    expect(errors).toEqual(['of all'])
  })
})
