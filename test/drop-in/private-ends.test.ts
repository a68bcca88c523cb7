/** What programs do with `_sender`, `_receiver` and `_socket`, over `ws` and over the drop-in. */
import { once } from 'node:events'
import { BOTH, journalOf, open, type Face, type Pair } from './both.js'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- private names have no types
type Loose = any

async function withPair<Result>(face: Face, run: (pair: Pair) => Promise<Result>): Promise<Result> {
  const pair = await open(face)
  try {
    return await run(pair)
  } finally {
    await pair.close()
  }
}

describe.each(BOTH)('the private ends of a connection: %s', (_name, face) => {
  const { Receiver, Sender } = face as Loose

  test('are a Sender and a Receiver, the same at each look, with how the connection receives', async () => {
    await withPair(face, async ({ client, accepted }) => {
      for (const socket of [client, accepted] as Loose[]) {
        expect(socket._sender).toBeInstanceOf(Sender)
        expect(socket._receiver).toBeInstanceOf(Receiver)
        expect(socket._sender).toBe(socket._sender)
        expect(socket._receiver).toBe(socket._receiver)
        expect(socket._sender._socket).toBe(socket._socket)
        expect([socket._sender._bufferedBytes, socket._sender._extensions]).toEqual([0, {}])
      }
      const { _isServer, _maxPayload, _allowSynchronousEvents, _skipUTF8Validation } = (accepted as Loose)
        ._receiver
      expect([_isServer, _maxPayload, _allowSynchronousEvents, _skipUTF8Validation]).toEqual([
        true,
        104857600,
        true,
        false,
      ])
    })
  })

  test('send what they are given, in the order of all calls, and call back', async () => {
    await withPair(face, async ({ client, accepted }) => {
      const journal = journalOf(accepted)
      const { _sender: sender } = client as Loose
      client.send('1')
      const called = new Promise((resolve) => {
        sender.send('2', { binary: false, compress: false, fin: true, mask: true }, resolve)
      })
      sender.ping(Buffer.from('3'), true)
      sender.pong('4', true)
      sender.send('5', { binary: true, fin: false, mask: true })
      sender.send('6', { fin: true, mask: true })
      client.send('7')
      expect(await called).toBeFalsy()
      await once(accepted, 'message')
      const closed = once(accepted, 'close')
      sender.close(1000, 'bye', true)
      await closed
      expect(journal).toEqual([
        'message 1 false',
        'message 2 false',
        'ping 3',
        'pong 4',
        'message 56 true',
        'message 7 false',
        'close 1000 bye',
      ])
    })
  })

  test('refuse what a WebSocket takes for empty, pings that are too long, and codes that must not be sent', async () => {
    await withPair(face, ({ client }) => {
      const { _sender: sender } = client as Loose
      expect(() => sender.send(undefined, { fin: true, mask: true })).toThrow(
        'must be of type string or an instance of Buffer',
      )
      expect(() => sender.ping(Buffer.alloc(126), true)).toThrow('must not be greater than 125 bytes')
      expect(() => sender.pong(Buffer.alloc(126), true)).toThrow('must not be greater than 125 bytes')
      expect(() => sender.close(1004, '', true)).toThrow('must be a valid error code')
      return Promise.resolve()
    })
  })

  test('emit what the connection receives', async () => {
    await withPair(face, async ({ client, accepted }) => {
      const heard: unknown[] = []
      const { _receiver: receiver } = accepted as Loose
      for (const name of ['message', 'ping', 'pong', 'conclude']) {
        receiver.on(name, (...values: unknown[]) => heard.push([name, ...values.map(String)]))
      }
      client.send('text')
      client.ping('ping')
      client.pong('pong')
      const closed = once(accepted, 'close')
      client.close(1000, 'bye')
      await closed
      expect(heard).toEqual([
        ['message', 'text', 'false'],
        ['ping', 'ping'],
        ['pong', 'pong'],
        ['conclude', '1000', 'bye'],
      ])
    })
  })

  test('take bytes as if they were received', async () => {
    await withPair(face, async ({ client }) => {
      const message = once(client, 'message')
      ;(client as Loose)._receiver.write(Buffer.from([0x81, 1, 0x61]))
      expect(String((await message)[0])).toBe('a')
    })
  })
})

describe.each(BOTH)('the socket of a connection: %s', (_name, face) => {
  test('that is resumed while the connection is paused gives its messages, whether they came before or after', async () => {
    await withPair(face, async ({ client, accepted }) => {
      const journal = journalOf(client)
      client.pause()
      const written = new Promise((resolve) => {
        accepted.send('one', resolve)
      })
      await written
      const first = once(client, 'message')
      ;(client as Loose)._socket.resume()
      await first
      expect(client.isPaused).toBe(true)
      const second = once(client, 'message')
      accepted.send('two')
      await second
      expect(journal).toEqual(['message one false', 'message two false'])
    })
  })

  test('that is resumed by a connection which is paused again at once gives nothing', async () => {
    await withPair(face, async ({ client, accepted }) => {
      const journal = journalOf(client)
      client.pause()
      client.resume()
      client.pause()
      accepted.send('one')
      const pinged = once(accepted, 'ping')
      client.ping()
      await pinged
      expect(journal).toEqual([])
      const message = once(client, 'message')
      client.resume()
      await message
      expect(journal[0]).toBe('message one false')
    })
  })

  test('whose listeners of data are taken away gives its bytes to others alone', async () => {
    await withPair(face, async ({ client, accepted }) => {
      const journal = journalOf(client)
      const { _socket: socket } = client as Loose
      socket.removeAllListeners('data')
      const chunk = once(socket, 'data')
      accepted.send('hi')
      expect([...((await chunk)[0] as Buffer)]).toEqual([0x81, 2, 0x68, 0x69])
      expect(journal).toEqual([])
    })
  })
})

test.each(BOTH)('each ping leaves by itself, not with those after it: %s', async (_name, face) => {
  await withPair(face, async ({ client, accepted }) => {
    const { _socket: socket } = client as Loose
    const writes: number[] = []
    for (const text of ['a', 'b', 'c']) {
      client.ping(text)
      writes.push(socket.bytesWritten as number)
    }
    expect(writes.map((bytes) => bytes - (writes[0] as number))).toEqual([0, 7, 14])
    await once(accepted, 'ping')
  })
})
