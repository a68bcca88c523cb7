/** What is under way when a connection ends, or breaks: each case over `ws` and over the drop-in. */
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { endpointsOf, show, type Loose } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

const ALWAYS = { perMessageDeflate: { threshold: 0 } }
const COMPRESSING = 'Error: The socket was closed while data was being compressed'

/** Notes the errors of callbacks by name. */
const notes = (journal: unknown[]) => (name: string) => (error?: Error | null) =>
  journal.push([name, show(error ?? null)])

/** The end of a connection, after all that is due with it. */
const ended = async (socket: Loose): Promise<void> => {
  // Not by `once`, which an error ends.
  if (socket.readyState !== 3) await new Promise((resolve) => socket.on('close', resolve))
  await turn()
}

describe.each(IMPLEMENTATIONS)('The end of a connection of %s', (_name, api) => {
  const { createWebSocketStream } = api as Loose
  const { pair } = endpointsOf(api)

  it('by a Blob that cannot be read: all callbacks get its error, then comes the event, and the peer gets what was before', async () => {
    const journal = await pair({}, {}, [], async ({ ws, peer }) => {
      const events: unknown[] = []
      const note = notes(events)
      const blob = new Blob(['x'])
      blob.arrayBuffer = () => Promise.reject(new Error('not to be read'))
      const message = once(peer, 'message')
      const end = once(peer, 'close')
      ws.on('error', (error: Error) => events.push(['event', error.message, ws.readyState]))
      ws.send('first')
      ws.send(blob, note('blob'))
      ws.send('next', note('next'))
      ws.ping(note('ping'))
      await ended(ws)
      return [...events, String((await message)[0]), (await end)[0]]
    })
    expect(journal).toEqual([
      ['blob', 'Error: not to be read'],
      ['next', 'Error: not to be read'],
      ['ping', 'Error: not to be read'],
      ['event', 'not to be read', 2],
      'first',
      1006,
    ])
  })

  it('by terminate, while a Blob is read: all callbacks get an error', async () => {
    const journal = await pair({}, {}, [], async ({ ws }) => {
      const events: unknown[] = []
      const note = notes(events)
      ws.send(new Blob(['x']), note('blob'))
      ws.send('next', note('next'))
      ws.ping(note('ping'))
      ws.terminate()
      await ended(ws)
      return events
    })
    const error = 'Error: The socket was closed while the blob was being read'
    expect(journal).toEqual([
      ['blob', error],
      ['next', error],
      ['ping', error],
    ])
  })

  it('does not come because a ping without data waits for a Blob', async () => {
    const journal = await pair({}, {}, [], async ({ ws, peer }) => {
      const events: unknown[] = []
      peer.on('ping', () => events.push('ping'))
      peer.on('message', (data: Buffer) => events.push(String(data)))
      ws.send(new Blob(['blob']))
      ws.ping()
      ws.send(null)
      ws.close()
      await ended(peer)
      return events
    })
    expect(journal).toEqual(['blob', 'ping', ''])
  })

  it.each([['foo'], ['foo'.repeat(100_000)]])(
    'by terminate, while messages are compressed: their callbacks get the error before the close event',
    async (text) => {
      const journal = await pair({ perMessageDeflate: true }, ALWAYS, [], async ({ ws }) => {
        const events: unknown[] = []
        ws.on('close', () => events.push('close'))
        for (const name of ['a', 'b']) {
          ws.send(text, (error?: Error) => events.push([name, show(error), ws.readyState]))
        }
        ws.terminate()
        await ended(ws)
        return events
      })
      expect(journal).toEqual([['a', COMPRESSING, 2], ['b', COMPRESSING, 2], 'close'])
    },
  )

  it('may come after bufferedAmount counted messages that are compressed, as they were given', async () => {
    const amounts = await pair({ perMessageDeflate: true }, ALWAYS, [], async ({ ws }) => {
      const seen: number[] = []
      ws.send('foo')
      seen.push(ws.bufferedAmount)
      const sent = new Promise<void>((resolve) =>
        ws.send('barbar', () => {
          seen.push(ws.bufferedAmount)
          resolve()
        }),
      )
      seen.push(ws.bufferedAmount)
      await sent
      return seen
    })
    expect(amounts).toEqual([3, 9, 0])
  })

  it('with a reason that is not UTF-8 is taken with skipUTF8Validation', async () => {
    const end = await pair({ skipUTF8Validation: true }, {}, [], async ({ ws, peer }) => {
      const closed = once(peer, 'close')
      ws.close(1000, Buffer.from([0x61, 0xff]))
      const [code, reason] = (await closed) as [number, Buffer]
      return [code, reason.toString('latin1')]
    })
    expect(end).toEqual([1000, 'a\xff'])
  })

  it('by bytes that zlib does not take has its words', async () => {
    const error = await pair({ perMessageDeflate: true }, {}, [], async ({ ws, peer }) => {
      const broken = once(peer, 'error')
      ws._socket.write(Buffer.from([0xc1, 0x83, 0, 0, 0, 0, 1, 2, 3]))
      return show((await broken)[0])
    })
    expect(error).toBe('Error Z_DATA_ERROR: invalid stored block lengths')
  })

  it('in the middle of a write of a stream is an end and no error', async () => {
    const events = await pair({}, {}, [], async ({ ws, peer }) => {
      const seen: unknown[] = []
      const stream = createWebSocketStream(ws)
      stream.on('error', (error: Error) => seen.push(show(error)))
      const end = once(stream, 'end')
      stream.resume()
      peer.pause()
      stream.write(Buffer.alloc(50_000_000))
      for (let turns = 0; ws._socket.writableLength === 0 && turns < 1000; turns++) await turn()
      ws.terminate()
      await end
      return seen
    })
    expect(events).toEqual([])
  })
})

describe.each(IMPLEMENTATIONS)('The socket of %s', (_name, api) => {
  const { pair, withServer } = endpointsOf(api)
  const { WebSocket } = api as Loose
  const options = { perMessageDeflate: false }

  it('emits what it reads to listeners of data, before and after the message', async () => {
    const journal = await pair(options, options, [], async ({ ws, peer }) => {
      const events: unknown[] = []
      ws.on('message', (data: Buffer) => events.push(String(data)))
      ws._socket.on('data', (data: Buffer) => events.push(['after', data.toString('hex')]))
      ws._socket.prependListener('data', (data: Buffer) => events.push(['before', data.toString('hex')]))
      for (const text of ['abc', 'de']) {
        const message = once(ws, 'message')
        peer.send(text)
        await message
      }
      await turn()
      return events
    })
    const [first, second] = ['8103616263', '81026465']
    expect(journal).toEqual([
      ['before', first],
      'abc',
      ['after', first],
      ['before', second],
      'de',
      ['after', second],
    ])
  })

  it('stays paused where a listener of connection pauses it, until it is resumed', async () => {
    const text = await withServer(options, async (server, url) => {
      const connection = once(server, 'connection')
      server.on('connection', (socket: Loose) => socket._socket.pause())
      const client = new WebSocket(url, options)
      const [peer] = (await connection) as [Loose]
      await once(client, 'open')
      await new Promise((resolve) => client.send('early', resolve))
      for (let turns = 0; turns < 20; turns++) await turn()
      const message = once(peer, 'message')
      peer._socket.resume()
      return String((await message)[0])
    })
    expect(text).toBe('early')
  })

  it('is not paused, and has a listener of data, when the connection is open', async () => {
    const seen = await pair({}, {}, [], ({ ws, peer }) =>
      Promise.resolve([ws, peer].map(({ _socket }) => [_socket.isPaused(), _socket.listenerCount('data')])),
    )
    expect(seen).toEqual([
      [false, 1],
      [false, 1],
    ])
  })

  it('is read again where the WebSocket is paused and resumed before anything was received', async () => {
    const text = await pair({}, {}, [], async ({ ws, peer }) => {
      const message = once(ws, 'message')
      ws.pause()
      ws.pause()
      peer.send('a')
      ws.resume()
      return String((await message)[0])
    })
    expect(text).toBe('a')
  })
})
