/** What a router makes of calls that fail and of messages that are wrong; and codecs that are async where none may be. */
import { z } from 'zod'
import {
  closeWith,
  connect,
  type ClientSocket,
  type InvalidMessageError,
  type ServerOptions,
} from '../../src/index.js'
import { router } from '../../src/json/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const clients: ClientSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

async function start(service: object, options: ServerOptions = {}): Promise<ClientSocket> {
  const { url } = await serve(service as never, options)
  const client = await connect(url)
  clients.push(client)
  return client
}

async function ask(client: ClientSocket, message: unknown): Promise<unknown> {
  client.sendJson(message)
  return JSON.parse(String(await client.receive()))
}

const end = async (client: ClientSocket): Promise<string> => {
  const { code, reason } = await client.close()
  return `${String(code)} ${reason}`.trim()
}

describe('onFailure of a router', () => {
  const handlers = {
    sync: () => {
      throw new RangeError('too far')
    },
    text: () => {
      throw 'text'
    },
    async: () => Promise.reject(new Error('later')),
    async *parts() {
      yield await Promise.resolve(1)
      throw new Error('in the middle')
    },
    good: () => 'good',
    nothing: () => {
      throw new Error('nothing')
    },
    bye: () => {
      throw new Error('bye')
    },
  }
  const onFailure = (_: unknown, error: Error, message: unknown): unknown => {
    if (error.message === 'nothing') return undefined
    if (error.message === 'bye') return closeWith(4000, 'bye')
    return { error: error.message, of: (message as { type: string }).type }
  }

  it('gives the reply to a call that throws, rejects or fails within its stream, and the connection stays open', async () => {
    const errors: Error[] = []
    const client = await start({
      ...router('type', handlers, { onFailure }),
      onError: (_: unknown, error: Error) => errors.push(error),
    })
    expect(await ask(client, { type: 'sync' })).toEqual({ error: 'too far', of: 'sync' })
    expect(await ask(client, { type: 'text' })).toEqual({ error: 'text', of: 'text' })
    expect(await ask(client, { type: 'async' })).toEqual({ error: 'later', of: 'async' })
    expect(await ask(client, { type: 'parts' })).toEqual(1)
    expect(JSON.parse(String(await client.receive()))).toEqual({ error: 'in the middle', of: 'parts' })
    client.sendJson({ type: 'nothing' })
    expect(await ask(client, { type: 'good' })).toBe('good')
    expect(errors).toEqual([])
    client.sendJson({ type: 'bye' })
    await expect(client.receive()).rejects.toMatchObject({ closeCode: 4000, reason: 'bye' })
  })

  it('may be async, and also answers when onUnknown throws', async () => {
    const onUnknown = (): never => {
      throw new Error('what is this')
    }
    const later = (...given: Parameters<typeof onFailure>): Promise<unknown> =>
      Promise.resolve(onFailure(...given))
    const client = await start(router('type', handlers, { onUnknown, onFailure: later }))
    expect(await ask(client, { type: 'what' })).toEqual({ error: 'what is this', of: 'what' })
    expect(await ask(client, { type: 'parts' })).toEqual(1)
    expect(JSON.parse(String(await client.receive()))).toEqual({ error: 'in the middle', of: 'parts' })
  })

  it.each(['sync', 'async', 'parts'])(
    'ends the connection with 1011 when it throws itself: %s',
    async (type) => {
      const errors: string[] = []
      const client = await start({
        ...router('type', handlers, {
          onFailure: () => {
            throw new Error('no way out')
          },
        }),
        onError: (_: unknown, error: Error) => errors.push(error.message),
      })
      client.sendJson({ type })
      if (type === 'parts') await client.receive()
      await expect(client.receive()).rejects.toMatchObject({ closeCode: 1011 })
      expect(errors).toEqual(['no way out'])
    },
  )

  it('has to be a function', () => {
    expect(() => router('type', { a: () => 1 }, { onFailure: 5 as never })).toThrow(
      new TypeError('onFailure must be a function, not 5'),
    )
  })
})

describe('a wrong message to a router', () => {
  const schema = z.discriminatedUnion('type', [
    z.object({ type: z.literal('add'), a: z.number(), b: z.number() }),
    z.object({ type: z.literal('unserved') }),
  ])
  const handlers = { add: (_: unknown, { a, b }: { a: number; b: number }) => a + b }
  const onInvalidMessage = (_: unknown, { kind, issues, closeCode }: InvalidMessageError): unknown => [
    kind,
    issues.length > 0,
    closeCode,
  ]

  it('is reported by its kind: unreadable, of an unknown type, or with a wrong value', async () => {
    const client = await start({ ...router('type', handlers, { schema }), onInvalidMessage })
    expect(await ask(client, { type: 'add', a: 1, b: 2 })).toBe(3)
    expect(await ask(client, { type: 'add', a: 1, b: 'x' })).toEqual(['invalidValue', true, 1007])
    expect(await ask(client, { type: 'subtract', a: 1 })).toEqual(['unknownType', true, 1007])
    expect(await ask(client, { type: 'unserved' })).toEqual(['unknownType', false, 1007])
    expect(await ask(client, { a: 1 })).toEqual(['unknownType', true, 1007])
    expect(await ask(client, null)).toEqual(['unknownType', true, 1007])
    client.send('{')
    expect(JSON.parse(String(await client.receive()))).toEqual(['unreadable', false, 1003])
  })

  it('is reported in the same way by an async schema', async () => {
    const slow = schema.refine((value) => Promise.resolve(value.type !== 'add' || value.b !== 0))
    const client = await start({ ...router('type', handlers as never, { schema: slow }), onInvalidMessage })
    expect(await ask(client, { type: 'add', a: 1, b: 2 })).toBe(3)
    expect(await ask(client, { type: 'add', a: 1, b: 0 })).toEqual(['invalidValue', true, 1007])
    expect(await ask(client, { type: 'subtract' })).toEqual(['unknownType', true, 1007])
  })

  it('goes to onUnknown unchanged when the schema does not know its type either', async () => {
    const client = await start({
      ...router('type', handlers, { schema, onUnknown: (_, message) => ['unknown', message] }),
      onInvalidMessage,
    })
    expect(await ask(client, { type: 'subtract', a: 1 })).toEqual(['unknown', { type: 'subtract', a: 1 }])
    expect(await ask(client, { type: 'unserved', more: 1 })).toEqual(['unknown', { type: 'unserved' }])
    expect(await ask(client, 5)).toEqual(['unknown', 5])
    expect(await ask(client, { type: 'add', a: 1 })).toEqual(['invalidValue', true, 1007])
  })

  it('closes with 1007 when no handler takes it, whatever its kind', async () => {
    const client = await start(router('type', handlers, { schema }))
    client.sendJson({ type: 'subtract' })
    await expect(client.receive()).rejects.toMatchObject({
      closeCode: 1007,
      reason: 'no handler for this message',
    })
  })
})

describe('a codec whose encode is async', () => {
  const encoders: [string, () => unknown, string][] = [
    ['resolves', () => Promise.resolve('x'), 'a promise: it must not be async'],
    ['rejects', () => Promise.reject(new Error('not heard')), 'a promise: it must not be async'],
    ['gives a number', () => 5, '5'],
  ]
  it.each(encoders)(
    'fails the handler by name when it %s, for a reply and for a part of one',
    async (_, encode, what) => {
      async function* parts(): AsyncGenerator<number> {
        yield await Promise.resolve(1)
      }
      for (const reply of [(): unknown => ({ a: 1 }), (): unknown => parts()]) {
        const errors: string[] = []
        const client = await start({
          codec: { decode: (message: unknown) => message, encode },
          onMessage: reply,
          onError: (_socket: unknown, error: Error) => errors.push(error.message),
        })
        client.send('x')
        await expect(client.receive()).rejects.toMatchObject({ closeCode: 1011 })
        expect(errors).toEqual([`codec.encode must return text or bytes, not ${what}`])
        expect(await end(client)).toBe('1011 internal error')
      }
    },
  )
})
