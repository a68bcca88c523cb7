/** How long a link waits while a session is opened, with a broker whose answers the test gives. */
import type { Broker, BrokerSession, SessionEvents } from '../../../src/brokers/broker.js'
import { BrokerLink } from '../../../src/brokers/broker-link.js'

const STALL_TIMEOUT_MS = 1000

beforeEach(() => jest.useFakeTimers())
afterEach(() => jest.useRealTimers())

/** A link to a broker that answers each request when `answer` is called. */
function connecting(channels: number) {
  const waiting: (() => void)[] = []
  const asked: number[] = []
  const errors: string[] = []
  let connected = 0
  let closed = 0
  const answered = (): Promise<void> => new Promise((resolve) => waiting.push(resolve))
  const session = ({ message }: SessionEvents): BrokerSession => ({
    maxMessageBytes: 1024,
    publish: async (_, probe) => {
      await answered()
      message(probe)
    },
    subscribe: (names) => {
      asked.push(names.length)
      return answered()
    },
    unsubscribe: answered,
    close: () => closed++,
  })
  const broker: Broker = {
    name: 'test',
    hasNames: false,
    nameOf: (prefix, kind, name) => `${prefix} ${kind} ${name}`,
    open: async (events) => {
      await answered()
      return session(events)
    },
  }
  const link = new BrokerLink(
    { broker, node: 'node', ownChannel: 'own', stallTimeoutMs: STALL_TIMEOUT_MS },
    {
      message: () => undefined,
      connected: () => connected++,
      failed: ({ message }) => errors.push(message),
    },
  )
  for (let i = 1; i < channels; i++) link.channels.add(String(i))
  link.start()
  return {
    link,
    asked,
    errors,
    state: () => ({ connected, closed }),
    /** The broker takes this long for its next answer. @returns whether it was asked for one */
    answerAfter: async (ms: number): Promise<boolean> => {
      await jest.advanceTimersByTimeAsync(ms)
      const answer = waiting.shift()
      answer?.()
      await jest.advanceTimersByTimeAsync(0)
      return answer !== undefined
    },
  }
}

it('each answer of the broker has its own time: many channels may take longer in all than stallTimeoutMs', async () => {
  const { link, asked, errors, state, answerAfter } = connecting(1600)
  // The connection, four requests for channels, the probe.
  for (let i = 0; i < 6; i++) {
    expect(state()).toEqual({ connected: 0, closed: 0 })
    expect(await answerAfter(STALL_TIMEOUT_MS - 10)).toBe(true)
  }
  expect([asked, errors, state()]).toEqual([[500, 500, 500, 100], [], { connected: 1, closed: 0 }])
  link.close()
})

it.each([0, 1, 3, 5])('a broker that gives %p answers and no further one is given up', async (answers) => {
  const { link, errors, state, answerAfter } = connecting(1600)
  for (let i = 0; i < answers; i++) await answerAfter(STALL_TIMEOUT_MS - 10)
  await jest.advanceTimersByTimeAsync(STALL_TIMEOUT_MS - 1)
  expect(errors).toEqual([])
  // The time is up, and what arrived while the process was busy has been read.
  for (let i = 0; i < 5; i++) await jest.advanceTimersByTimeAsync(1)
  expect(errors).toEqual(['the backplane has no connection to test: it did not answer within 1000 ms'])
  expect(state()).toEqual({ connected: 0, closed: answers === 0 ? 0 : 1 })
  link.close()
})

describe('a client of a broker that fails with what is no error', () => {
  /** Calls of a session, each of which may fail, with a broker that answers at once. */
  type Failing = 'open' | 'subscribe' | 'publish' | 'unsubscribe'

  function failing(name: Failing, reason: unknown) {
    const errors: Error[] = []
    const calls: string[] = []
    const called = (call: Failing): Promise<void> => {
      calls.push(call)
      return call === name ? Promise.reject(reason) : Promise.resolve()
    }
    const broker: Broker = {
      name: 'test',
      hasNames: false,
      nameOf: (prefix, kind, of) => `${prefix} ${kind} ${of}`,
      open: async ({ message }) => {
        await called('open')
        return {
          maxMessageBytes: 1024,
          publish: async (_, probe) => {
            await called('publish')
            message(probe)
          },
          subscribe: () => {
            // Another channel is no longer wanted meanwhile.
            link.channels.delete('other')
            return called('subscribe')
          },
          unsubscribe: () => called('unsubscribe'),
          close: () => undefined,
        }
      },
    }
    const link: BrokerLink = new BrokerLink(
      { broker, node: 'node', ownChannel: 'own', stallTimeoutMs: STALL_TIMEOUT_MS },
      { message: () => undefined, connected: () => undefined, failed: (error) => errors.push(error) },
    )
    link.channels.add('other')
    link.start()
    return { link, errors, calls }
  }

  it.each(
    (['open', 'subscribe', 'publish', 'unsubscribe'] as const).flatMap((name) =>
      [undefined, null, '', Symbol('lost')].map((reason) => [name, reason] as const),
    ),
  )('in %s, with %p, is reported once, and is connected again', async (name, reason) => {
    const { link, errors, calls } = failing(name, reason)
    await jest.advanceTimersByTimeAsync(100)
    expect(errors.map(({ message }) => message)).toEqual([
      `the backplane has no connection to test: ${String(reason)}`,
    ])
    expect(errors[0]).toMatchObject({ cause: { cause: reason } })
    expect(calls.filter((call) => call === 'open').length).toBeGreaterThan(1)
    link.close()
  })
})
