/** `for await` over the messages of a client, plain and reconnecting: leaving, time and signal, close() and giving up. */
import { Readable } from 'node:stream'
import {
  accept,
  connect,
  ConnectionClosedError,
  HandshakeError,
  reject,
  type ClientSocket,
  type ReconnectOptions,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const sockets: ClientSocket<unknown, unknown>[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
  stopServing()
})
const keep = <S extends ClientSocket<unknown, unknown>>(socket: S): S => {
  sockets.push(socket)
  return socket
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

const KINDS = [
  ['a plain client', false],
  ['a client that reconnects', true],
] as const

/** A client of an echo server. */
const echo = async (reconnect: boolean): Promise<ClientSocket> => {
  const { url } = await serve({ onMessage: (_, message) => message })
  return keep(reconnect ? await connect(url, { reconnect: { minDelayMs: 1 } }) : await connect(url))
}

describe.each(KINDS)('a loop over %s', (_kind, reconnect) => {
  it('ends a wait at once by return(), and the next message goes to the next call', async () => {
    const socket = await echo(reconnect)
    const loop = socket.messages()
    const [first, second] = [loop.next(), loop.next()]
    await turns()
    expect(await loop.return()).toEqual({ done: true, value: undefined })
    expect([await first, await second]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
    socket.send('kept')
    expect(await socket.receive()).toBe('kept')
    expect(await loop.next()).toEqual({ done: true, value: undefined })
  })

  it('lets Readable.from(socket) be destroyed while it waits', async () => {
    const socket = await echo(reconnect)
    const stream = Readable.from(socket)
    const read: unknown[] = []
    stream.on('data', (message) => read.push(message))
    socket.send('one')
    while (read.length === 0) await turns(1)
    const closed = new Promise<void>((resolve) => stream.on('close', resolve))
    stream.destroy()
    await closed
    socket.send('two')
    expect(await socket.receive()).toBe('two')
    expect(read).toEqual(['one'])
  })

  it('is ended by throw() with its error, and by await using', async () => {
    const socket = await echo(reconnect)
    const loop = socket.messages()
    const waiting = loop.next()
    await expect(loop.throw(new Error('mine'))).rejects.toThrow('mine')
    expect(await waiting).toEqual({ done: true, value: undefined })
    const other = socket.messages()
    await other[Symbol.asyncDispose]()
    expect(await other.next()).toEqual({ done: true, value: undefined })
  })

  it('gives the messages in order to several calls of next() at once', async () => {
    const socket = await echo(reconnect)
    const loop = socket.messages()
    const reads = [loop.next(), loop.next(), loop.next()]
    for (const word of ['a', 'b', 'c']) socket.send(word)
    expect((await Promise.all(reads)).map(({ value }) => value as unknown)).toEqual(['a', 'b', 'c'])
  })

  it('throws a TimeoutError after timeoutMs without a message; each message begins the time anew', async () => {
    const socket = await echo(reconnect)
    const read: unknown[] = []
    const timer = setInterval(() => socket.send('x'), 60)
    const loop = async (): Promise<void> => {
      for await (const message of socket.messages({ timeoutMs: 200 })) {
        if (read.push(message) === 5) clearInterval(timer)
      }
    }
    await expect(loop()).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'it took longer than 200 ms',
    })
    expect(read.length).toBeGreaterThanOrEqual(5)
    socket.send('later')
    expect(await socket.receive()).toBe('later')
  })

  it('throws the reason of its signal: while it waits, between two messages, and before the first', async () => {
    const socket = await echo(reconnect)
    const reason = new ConnectionClosedError(1000, 'of another connection')
    const run = async (signal: AbortSignal, work?: () => void): Promise<number> => {
      let count = 0
      for await (const _message of socket.messages({ signal })) {
        count++
        work?.()
      }
      return count
    }
    const waiting = new AbortController()
    const parked = run(waiting.signal)
    await turns()
    waiting.abort(reason)
    await expect(parked).rejects.toBe(reason)
    await expect(run(waiting.signal)).rejects.toBe(reason)

    const working = new AbortController()
    socket.send('1')
    socket.send('2')
    const worked = run(working.signal, () => {
      working.abort(reason)
    })
    await expect(worked).rejects.toBe(reason)
    expect(await socket.receive()).toBe('2')
  })

  it('refuses wrong options at once', async () => {
    const socket = await echo(reconnect)
    expect(() => socket.messages({ timeoutMs: -1 })).toThrow(
      'timeoutMs must be a number from 0 to Infinity, not -1',
    )
    expect(() => socket.messages({ timeout: 1 } as never)).toThrow('options has no option "timeout"')
  })

  it('reads by the codec of connect', async () => {
    const { url } = await serve({ onOpen: (socket) => void socket.send('{"a":1}') })
    const options = { codec: json() }
    const socket = keep(
      reconnect ? await connect(url, { ...options, reconnect: true }) : await connect(url, options),
    )
    for await (const message of socket.messages({ timeoutMs: 1000 })) {
      expect(message).toEqual({ a: 1 })
      break
    }
  })
})

describe('messages that the peer sends before it answers close()', () => {
  const COUNT = 600
  /** Sends its messages at the pace of the client; `started` resolves with the first. */
  const flood = async (): Promise<string> => {
    const { url } = await serve({
      onOpen: (socket) => {
        const send = async (): Promise<void> => {
          for (let i = 0; i < COUNT; i++) await socket.write(`m${i}`)
        }
        send().catch(() => undefined)
      },
    })
    return url
  }
  const limits = { maxQueuedMessages: 4 }
  const READERS = {
    'a loop': async (socket: ClientSocket, got: (message: unknown) => Promise<void>) => {
      for await (const message of socket) await got(message)
    },
    'calls of receive': async (socket: ClientSocket, got: (message: unknown) => Promise<void>) => {
      try {
        for (;;) await got(await socket.receive())
      } catch (error) {
        if (!(error instanceof ConnectionClosedError)) throw error
      }
    },
  }
  const rows = KINDS.flatMap(([kind, reconnect]) =>
    Object.entries(READERS).map(([name, read]) => [name, kind, reconnect, read] as const),
  )

  it.each(rows)('are all read by %s over %s that works on each', async (_name, _kind, reconnect, read) => {
    const url = await flood()
    const socket = keep(
      reconnect ? await connect(url, { limits, reconnect: true }) : await connect(url, { limits }),
    )
    let count = 0
    const reading = read(socket, async () => {
      if (++count % 50 === 0) await sleep(10)
      else await turns(1)
    })
    while (count < 20) await turns(1)
    const info = await socket.close(1000)
    await reading
    expect({ count, dropped: info.droppedMessages, clean: info.wasClean }).toEqual({
      count: COUNT,
      dropped: 0,
      clean: true,
    })
  })

  it.each(KINDS)(
    'are all read by calls of receive over %s that work for more than a second on one message',
    async (_kind, reconnect) => {
      const url = await flood()
      const socket = keep(
        reconnect ? await connect(url, { limits, reconnect: true }) : await connect(url, { limits }),
      )
      let count = 0
      const reading = READERS['calls of receive'](socket, async () => {
        if (++count === 20) await sleep(1300)
      })
      while (count < 20) await turns(1)
      expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true, droppedMessages: 0 })
      await reading
      expect(count).toBe(COUNT)
    },
  )

  it.each(KINDS)(
    'are dropped beyond the queue and counted over %s whose loop was left, so that the close is quick and clean',
    async (_kind, reconnect) => {
      const url = await flood()
      const socket = keep(
        reconnect ? await connect(url, { limits, reconnect: true }) : await connect(url, { limits }),
      )
      for await (const _message of socket) break
      await turns(20)
      const startedAt = performance.now()
      const info = await socket.close(1000)
      expect(info).toMatchObject({ code: 1000, wasClean: true })
      expect(info.droppedMessages).toBeGreaterThan(100)
      expect(performance.now() - startedAt).toBeLessThan(4000)
    },
  )

  it('are dropped after half of closeTimeoutMs without a call of receive, and the close is clean', async () => {
    const socket = keep(await connect(await flood(), { limits, closeTimeoutMs: 400 }))
    await socket.receive()
    await turns(20)
    const info = await socket.close(1000)
    expect(info).toMatchObject({ code: 1000, wasClean: true })
    expect(info.droppedMessages).toBeGreaterThan(100)
  })

  it('are read over the next connection, too, by a reader that worked on a message of the last one', async () => {
    let visits = 0
    const { url } = await serve({
      onOpen: (socket) => {
        if (++visits === 1) {
          socket.send('first')
          void socket.close(1012)
          return
        }
        const send = async (): Promise<void> => {
          for (let i = 0; i < COUNT; i++) await socket.write(`m${i}`)
        }
        send().catch(() => undefined)
      },
    })
    const socket = keep(await connect(url, { limits, reconnect: { minDelayMs: 1, maxDelayMs: 1 } }))
    const read: unknown[] = []
    const reading = READERS['calls of receive'](socket, async (message) => {
      if (read.push(message) > 1) return
      while (visits < 2 || socket.readyState !== 1) await turns(1)
      await turns(50)
      void socket.close(1000)
      await turns(50)
    })
    await reading
    expect(read.length).toBe(COUNT + 1)
  })
})

describe('the end of a loop over a client that reconnects', () => {
  const read = async (socket: ClientSocket): Promise<unknown[]> => {
    const messages: unknown[] = []
    for await (const message of socket) messages.push(message)
    return messages
  }
  /** Sends a message and closes with `code` at the first visit; later ones get 503. */
  const once = async (code: number | undefined, settings: ReconnectOptions = {}): Promise<ClientSocket> => {
    let visits = 0
    const { url } = await serve({
      onUpgrade: () => (++visits > 1 ? reject(503) : accept()),
      onOpen: (socket) => {
        socket.send('hello')
        void socket.close(code)
      },
    })
    const reconnect = { minDelayMs: 1, maxDelayMs: 1, ...settings }
    return keep(await connect(url, { reconnect }))
  }

  it('is an error with the last cause when the client has given up, though the connection ended with 1001', async () => {
    const socket = await once(1001, { maxAttempts: 3 })
    const error = await read(socket).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'ConnectionClosedError', closeCode: 1001 })
    expect((error as Error).cause).toBeInstanceOf(HandshakeError)
    expect((error as Error).cause).toMatchObject({ httpStatus: 503 })
    await expect(socket.receive()).rejects.toMatchObject({ cause: { httpStatus: 503 } })
  })

  it('is the same error for one who reads only after the client has given up', async () => {
    const socket = await once(1001, { maxAttempts: 3 })
    await socket.closed
    const loop = socket.messages()
    expect(await loop.next()).toEqual({ done: false, value: 'hello' })
    await expect(loop.next()).rejects.toMatchObject({ closeCode: 1001, cause: { httpStatus: 503 } })
  })

  it("is an error while the client is about to come back, with whileReconnecting: 'fail'", async () => {
    const socket = await once(1001, { whileReconnecting: 'fail', minDelayMs: 60_000, maxDelayMs: 60_000 })
    await expect(read(socket)).rejects.toMatchObject({ closeCode: 1001 })
    expect(socket.readyState).toBe(0)
  })

  it.each([
    [1000, 'wait'],
    [undefined, 'wait'],
    [1000, 'fail'],
  ] as const)('is quiet after %p, which ends the client for good (%s)', async (code, whileReconnecting) => {
    expect(await read(await once(code, { whileReconnecting }))).toEqual(['hello'])
  })

  it('is quiet after its own close(), open or between two connections', async () => {
    const open = await echo(true)
    const reading = read(open)
    await open.close(1000)
    expect(await reading).toEqual([])
    const between = await once(1012, { minDelayMs: 60_000, maxDelayMs: 60_000 })
    const waiting = read(between)
    while (between.readyState !== 0) await turns(1)
    await between.close(1000)
    expect(await waiting).toEqual(['hello'])
  })

  it('is an error with the reason when the signal of connect ends the client between two connections', async () => {
    const aborter = new AbortController()
    const { url } = await serve({ onOpen: (socket) => void socket.close(1012) })
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000 }
    const socket = keep(await connect(url, { reconnect, signal: aborter.signal }))
    const reading = read(socket)
    while (socket.readyState !== 0) await turns(1)
    aborter.abort(new Error('no more'))
    await expect(reading).rejects.toMatchObject({ closeCode: 1012, cause: { message: 'no more' } })
  })

  it('is an error when the client comes back in vain after a 1000', async () => {
    const socket = await once(1000, { maxAttempts: 2, shouldReconnect: () => true })
    await expect(read(socket)).rejects.toMatchObject({ closeCode: 1000, cause: { httpStatus: 503 } })
  })

  it('is an error after 4000 of the peer', async () => {
    await expect(read(await once(4000))).rejects.toMatchObject({ closeCode: 4000 })
  })
})
