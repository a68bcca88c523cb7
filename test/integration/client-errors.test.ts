/** What the handlers of a client throw is heard once: by `onError`, by who waits for `connect`, or as a warning. */
import { connect, type ClientSocket, type ConnectOptions } from '../../src/index.js'
import { serve, stopServing } from '../helpers/serving.js'

let warnings: string[]
beforeEach(() => {
  warnings = []
  jest.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    warnings.push(`${(options as unknown as { code: string }).code} ${String(warning)}`)
  })
})
afterEach(() => {
  jest.restoreAllMocks()
  stopServing()
})

/** Warnings come in a turn of their own. */
const heard = async (): Promise<string[]> => {
  await new Promise((resolve) => setImmediate(resolve))
  return warnings
}

type ClientHandlers = NonNullable<ConnectOptions['handlers']>

/** Connects to a server that says hello and waits for the end. */
async function fail(handlers: ClientHandlers): Promise<ClientSocket> {
  const { url } = await serve({ onOpen: (socket) => void socket.send('hello') })
  const client = await connect(url, { handlers })
  expect(await client.closed).toMatchObject({ code: 1011, initiator: 'engine' })
  await new Promise((resolve) => setTimeout(resolve, 10))
  return client
}

const throws = (text: string) => (): never => {
  throw new Error(text)
}

const UNHEARD = 'HAWSER_UNHANDLED_HANDLER_ERROR a handler of a client failed, and no onError heard it'

it.each([
  ['throws', throws('mine')],
  ['rejects', () => Promise.reject(new Error('mine'))],
])('a message handler that %s causes a process warning when there is no onError', async (_, onMessage) => {
  await fail({ onMessage })
  expect(await heard()).toEqual([`${UNHEARD}: mine`])
})

it('an error that onError receives causes no warning', async () => {
  const errors: string[] = []
  await fail({ onMessage: throws('mine'), onError: (_, error) => void errors.push(error.message) })
  expect(errors).toEqual(['mine'])
  expect(await heard()).toEqual([])
})

it('an onError that throws causes a warning, and still received the first error', async () => {
  await fail({ onMessage: throws('mine'), onError: throws('in onError') })
  expect(await heard()).toEqual([`${UNHEARD}: in onError`])
})

it('many connections with the same handlers warn once', async () => {
  const handlers = { onMessage: throws('mine') }
  for (let i = 0; i < 3; i++) await fail(handlers)
  expect(await heard()).toEqual([`${UNHEARD}: mine`])
})

it('connect rejects with the error of onOpen, neither onError nor a warning repeats it, and onClose is called', async () => {
  const events: string[] = []
  const { url } = await serve({})
  for (const onOpen of [throws('mine'), () => Promise.reject(new Error('mine'))]) {
    const handlers: ClientHandlers = {
      onOpen,
      onError: (_, error) => void events.push(`error ${error.message}`),
      onClose: (_, { code, initiator }) => void events.push(`close ${code} ${initiator}`),
    }
    await expect(connect(url, { handlers })).rejects.toThrow('mine')
    for (let tries = 0; events.length === 0 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect(events.splice(0)).toEqual(['close 1011 engine'])
  }
  expect(await heard()).toEqual([])
})

it('an onOpen that fails after connect has rejected causes a warning', async () => {
  const { url } = await serve({})
  const onOpen = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 80))
    throw new Error('late')
  }
  await expect(connect(url, { handlers: { onOpen }, handshakeTimeoutMs: 40 })).rejects.toMatchObject({
    code: 'HAWSER_HANDSHAKE_TIMEOUT',
  })
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect(await heard()).toEqual([`${UNHEARD}: late`])
})

describe('an onOpen that fails when connect has rejected', () => {
  const rejectLater = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 80))
    throw new Error('late')
  }

  it.each<[string, (ends: AbortController) => Partial<ConnectOptions<undefined>>]>([
    ['the time was up', () => ({ handshakeTimeoutMs: 40 })],
    [
      'the caller aborted it',
      (ends) => {
        setTimeout(() => {
          ends.abort(new Error('no more'))
        }, 40)
        return { signal: ends.signal }
      },
    ],
  ])('is heard by onError, once: %s', async (_, limitsOf) => {
    const { url } = await serve({})
    const errors: string[] = []
    const handlers: ClientHandlers = {
      onOpen: rejectLater,
      onError: (__, { message }) => void errors.push(message),
    }
    await expect(connect(url, { handlers, ...limitsOf(new AbortController()) })).rejects.toThrow(
      /handshakeTimeoutMs|no more/,
    )
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(errors).toEqual(['late'])
    expect(await heard()).toEqual([])
  })

  it('in the turn in which the caller aborts it is heard as well', async () => {
    const { url } = await serve({})
    const errors: string[] = []
    const ends = new AbortController()
    const handlers: ClientHandlers = {
      onOpen: () =>
        new Promise((_resolve, reject) => {
          setTimeout(() => {
            reject(new Error('late'))
            ends.abort(new Error('no more'))
          }, 20)
        }),
      onError: (_, { message }) => void errors.push(message),
    }
    const failed = await connect(url, { handlers, signal: ends.signal }).catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([(failed as Error).message, ...errors].filter((text) => text === 'late')).toEqual(['late'])
    expect(await heard()).toEqual([])
  })

  it('is not heard where the end of the connection is what it fails with', async () => {
    const { url } = await serve({})
    const errors: string[] = []
    const handlers: ClientHandlers = {
      onOpen: async (socket) => {
        await socket.receive()
      },
      onError: (_, { message }) => void errors.push(message),
    }
    await expect(connect(url, { handlers, handshakeTimeoutMs: 40 })).rejects.toMatchObject({
      code: 'HAWSER_HANDSHAKE_TIMEOUT',
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([errors, await heard()]).toEqual([[], []])
  })
})
