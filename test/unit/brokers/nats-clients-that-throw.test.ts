/** Connections to NATS whose methods throw, at once or later, errors and anything else. */
import { jetStreamHistory, natsBackplane, type NatsConnection } from '../../../src/brokers/nats.js'
import type { BackplaneEvents } from '../../../src/backplane/index.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const THROWN = [undefined, null, Symbol('lost'), new Error('lost')]

/** A connection that answers everything, except for what is given here. */
const connectionWith = (methods: Partial<Record<keyof NatsConnection, unknown>>) => ({
  publish: () => undefined,
  subscribe: () => ({ unsubscribe: () => undefined }),
  flush: () => Promise.resolve(),
  async *status() {
    yield await new Promise(() => undefined)
  },
  closed: () => new Promise(() => undefined),
  isClosed: () => false,
  close: () => Promise.resolve(),
  ...(methods as Partial<NatsConnection>),
})

const throwing = (thrown: unknown) => (): never => {
  throw thrown
}

/** Starts a backplane, and ends it when it failed. @returns what it reported */
async function failuresOf(source: () => NatsConnection | Promise<NatsConnection>): Promise<string[]> {
  const failures: string[] = []
  const events: BackplaneEvents = {
    failed: ({ message }) => void failures.push(message),
    lost: () => undefined,
    malformed: () => undefined,
  }
  const backplane = natsBackplane(source, { stallTimeoutMs: 200 })
  backplane.start('node', () => undefined, undefined, events)
  while (failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  // Long enough for further attempts, which fail in the same way.
  await new Promise((resolve) => setTimeout(resolve, 150))
  await backplane.close()
  await nextTurn()
  return failures
}

describe('a backplane', () => {
  it.each(THROWN)('whose source throws or rejects with %p reports that once', async (thrown) => {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    const expected = [`the backplane has no connection to nats: ${text}`]
    expect(await failuresOf(throwing(thrown))).toEqual(expected)
    expect(await failuresOf(() => Promise.reject(thrown))).toEqual(expected)
  })

  it.each(['subscribe', 'flush', 'status', 'closed', 'isClosed'] as const)(
    'whose %s throws nothing reports that once',
    async (name) => {
      const source = (): NatsConnection => connectionWith({ [name]: throwing(undefined) })
      expect(await failuresOf(source)).toEqual(['the backplane has no connection to nats: undefined'])
    },
  )

  it.each(THROWN)('whose close throws %p, or gives no promise, is connected again', async (thrown) => {
    for (const close of [throwing(thrown), () => undefined]) {
      let opened = 0
      await failuresOf(() => {
        opened++
        return connectionWith({ close, flush: throwing(new Error('cut')) })
      })
      expect(opened).toBeGreaterThan(1)
    }
  })
})

describe('a history', () => {
  const stream = (subject: string) => ({
    config: { subjects: [`${subject}.*`], max_msgs: 10, max_age: 1e9 },
    state: { first_seq: 1, last_seq: 0, messages: 0, bytes: 0 },
  })

  it.each(THROWN.flatMap((thrown) => [false, true].map((isAsync) => [thrown, isAsync] as const)))(
    'sends a message once where the client throws %p (async: %p) instead of an answer',
    async (thrown, isAsync) => {
      const sent: string[] = []
      let subject = ''
      const request = (to: string, payload: Uint8Array): Promise<{ data: Buffer }> => {
        const text = Buffer.from(payload).toString()
        if (to.startsWith('$JS.API.STREAM.CREATE')) {
          subject = (JSON.parse(text) as { subjects: [string] }).subjects[0].slice(0, -2)
        }
        if (to.startsWith('$JS.')) {
          const answer =
            subject === '' ? { error: { err_code: 10_059, description: 'none' } } : stream(subject)
          return Promise.resolve({ data: Buffer.from(JSON.stringify(answer)) })
        }
        sent.push(text)
        if (isAsync) return Promise.reject(thrown)
        throw thrown
      }
      // It is flushed when nobody waits for an answer any more.
      let flushes = 0
      const flush = (): Promise<void> => {
        if (flushes++ > 0) throw thrown
        return Promise.resolve()
      }
      const history = jetStreamHistory({
        connection: { ...connectionWith({ flush }), request },
        timeoutMs: 1000,
      })
      const limits = { maxMessages: 10, maxAgeMs: 1000 }
      const text = thrown instanceof Error ? thrown.message : String(thrown)
      await expect(history.append('dogs', 'wuff', limits)).rejects.toMatchObject({
        code: 'HAWSER_MAYBE_PUBLISHED',
        message: `appending to the history of group "dogs" failed: ${text}: it may be kept nevertheless`,
      })
      expect(sent).toEqual(['wuff'])
      await history.close()
    },
  )
})
