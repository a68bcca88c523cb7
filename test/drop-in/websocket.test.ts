/** The class WebSocket, each case over `ws` and over the drop-in. */
import { once } from 'node:events'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { BOTH, closed, closeServer, connectRaw, journalOf, listen, open, urlOf } from './both.js'

const MASKED_EMPTY = [0x80, 0, 0, 0, 0]

/** Two streams: what is written to one is read from the other. */
function duplexPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        other().push(chunk)
        done()
      },
      final: (done) => {
        other().push(null)
        done()
      },
    })
  const left: Duplex = make(() => right)
  const right: Duplex = make(() => left)
  return [left, right]
}

describe.each(BOTH)('WebSocket of %s', (_name, face) => {
  it('has the states as constants of the class and of each object, which cannot be changed', () => {
    const socket = new face(null as never, undefined, {})
    for (const holder of [face, face.prototype, socket] as unknown as Record<string, number>[]) {
      expect([holder['CONNECTING'], holder['OPEN'], holder['CLOSING'], holder['CLOSED']]).toEqual([
        0, 1, 2, 3,
      ])
    }
    expect(Object.getOwnPropertyDescriptor(face, 'OPEN')).toEqual({
      value: 1,
      enumerable: true,
      writable: false,
      configurable: false,
    })
    expect(socket.readyState).toBe(0)
  })

  it('begins with the values that programs read before the connection is open', () => {
    const socket = new face(null as never, undefined, {})
    const { binaryType, bufferedAmount, extensions, isPaused, protocol, url } = socket
    expect({ binaryType, extensions, isPaused, protocol, url }).toEqual({
      binaryType: 'nodebuffer',
      extensions: '',
      isPaused: false,
      protocol: '',
      url: undefined,
    })
    expect([0, undefined]).toContain(bufferedAmount)
    expect(() => socket.send('a')).toThrow('WebSocket is not open: readyState 0 (CONNECTING)')
    expect(() => socket.ping()).toThrow('WebSocket is not open: readyState 0 (CONNECTING)')
    expect(() => socket.pong()).toThrow('WebSocket is not open: readyState 0 (CONNECTING)')
  })

  it.each([
    ['foo', SyntaxError, 'Invalid URL: foo'],
    [
      'ftp://x',
      SyntaxError,
      'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"',
    ],
    ['ws://x#part', SyntaxError, 'The URL contains a fragment identifier'],
    ['ws+unix:', SyntaxError, "The URL's pathname is empty"],
  ])('refuses the address %s', (address, kind, message) => {
    expect(() => new face(address)).toThrow(kind)
    expect(() => new face(address)).toThrow(message)
  })

  it.each([[['a', 'a']], ['a b'], [['']], [[null]]])('refuses the subprotocols %j', (protocols) => {
    const message = 'An invalid or duplicated subprotocol was specified'
    expect(() => new face('ws://localhost', protocols as string[])).toThrow(message)
  })

  it('refuses a version of the protocol that it does not have', () => {
    const make = (): WebSocket => new face('ws://localhost', { protocolVersion: 1000 })
    expect(make).toThrow('Unsupported protocol version: 1000 (supported versions: 8, 13)')
  })

  it('sends and receives text and bytes of each kind, text as a Buffer', async () => {
    const pair = await open(face)
    const messages: [string, boolean][] = []
    pair.accepted.on('message', (data, isBinary) => {
      expect(Buffer.isBuffer(data)).toBe(true)
      messages.push([(data as Buffer).toString('latin1'), isBinary])
    })
    const bytes = Uint8Array.of(1, 2, 3, 4)
    pair.client.send('text')
    pair.client.send('')
    pair.client.send(12)
    pair.client.send(bytes)
    pair.client.send(bytes.buffer)
    pair.client.send(new DataView(bytes.buffer, 1, 2))
    pair.client.send(Buffer.from('as text'), { binary: false })
    pair.client.send('as bytes', { binary: true })
    pair.client.send([5, 6] as never)
    pair.client.send(undefined as never)
    pair.client.send(new Blob(['blob']) as never)
    pair.client.send('after the blob')
    await once(pair.accepted, 'message')
    while (messages.length < 12) await once(pair.accepted, 'message')
    expect(messages).toEqual([
      ['text', false],
      ['', false],
      ['12', false],
      ['\x01\x02\x03\x04', true],
      ['\x01\x02\x03\x04', true],
      ['\x02\x03', true],
      ['as text', false],
      ['as bytes', true],
      ['\x05\x06', true],
      ['', true],
      ['blob', true],
      ['after the blob', false],
    ])
    expect(() => pair.client.send({} as never)).toThrow(
      'The first argument must be of type string or an instance of Buffer',
    )
    await pair.close()
  })

  it.each([0, 1, 125, 126, 65_535, 65_536, 300_000, 1_048_576])(
    'echoes messages of %i bytes, with and without compression',
    async (length) => {
      for (const perMessageDeflate of [false, true]) {
        const pair = await open(face, { perMessageDeflate }, { perMessageDeflate })
        expect(pair.client.extensions).toBe(perMessageDeflate ? 'permessage-deflate' : '')
        pair.accepted.on('message', (data, isBinary) => {
          pair.accepted.send(data, { binary: isBinary })
        })
        const sent = Buffer.alloc(length, 'abcdefg \u00e9')
        pair.client.send(sent)
        const [data, isBinary] = (await once(pair.client, 'message')) as [Buffer, boolean]
        expect(isBinary).toBe(true)
        expect(data.equals(sent)).toBe(true)
        await pair.close()
      }
    },
  )

  it('gives bytes as binaryType says, and ignores types that it does not know', async () => {
    const { client, accepted, close } = await open(face)
    client.binaryType = 'arraybuffer'
    client.binaryType = 'strange' as never
    expect(client.binaryType).toBe('arraybuffer')
    accepted.send(Buffer.from('ab'))
    const [buffer] = (await once(client, 'message')) as [ArrayBuffer]
    expect(buffer).toBeInstanceOf(ArrayBuffer)
    expect(buffer.byteLength).toBe(2)
    client.binaryType = 'fragments'
    accepted.send(Buffer.from('cd'))
    const [fragments] = (await once(client, 'message')) as [Buffer[]]
    expect(Buffer.concat(fragments).toString()).toBe('cd')
    client.binaryType = 'blob' as never
    accepted.send(Buffer.from('ef'))
    const [blob] = (await once(client, 'message')) as [Blob]
    expect(await blob.text()).toBe('ef')
    accepted.send('text')
    const [text] = (await once(client, 'message')) as [Buffer]
    expect(Buffer.isBuffer(text)).toBe(true)
    await close()
  })

  it('joins fragments that the other end sends with fin: false', async () => {
    const { client, accepted, close } = await open(face, { perMessageDeflate: true })
    client.send('one ', { fin: false })
    client.send('two ', { fin: false })
    client.ping('between')
    client.send('three')
    const journal = journalOf(accepted)
    await once(accepted, 'message')
    expect(journal).toEqual(['ping between', 'message one two three false'])
    await close()
  })

  it('calls back for each message, ping and pong, in their order and never inside the call', async () => {
    const { client, close } = await open(face)
    const calls: string[] = []
    const note =
      (name: string) =>
      (error?: Error | null): void => {
        calls.push(`${name} ${String(error ?? null)}`)
      }
    client.send('a', note('send'))
    client.send('b', {}, note('send with options'))
    client.ping(note('ping'))
    client.ping('data', note('ping with data') as never)
    client.pong('data', true, note('pong'))
    calls.push('called')
    while (calls.length < 6) await turn()
    expect(calls).toEqual([
      'called',
      'send null',
      'send with options null',
      'ping null',
      'ping with data null',
      'pong null',
    ])
    await close()
  })

  it('answers pings, unless autoPong is off, and reports the ping before the next message', async () => {
    const pair = await open(face, { autoPong: true }, { autoPong: false })
    const journal = journalOf(pair.client)
    const other = journalOf(pair.accepted)
    pair.client.ping('1')
    pair.client.send('2')
    pair.accepted.ping('3')
    pair.accepted.send('4')
    await once(pair.client, 'message')
    while (other.length < 2 || journal.length < 3) await turn()
    await delay(20)
    expect(other).toEqual(['ping 1', 'message 2 false'])
    expect([...journal].sort()).toEqual(['message 4 false', 'ping 3', 'pong 1'])
    expect(() => pair.client.ping(Buffer.alloc(126))).toThrow(
      'The data size must not be greater than 125 bytes',
    )
    await pair.close()
  })

  it('closes with code and reason on both sides, and reports each once', async () => {
    const pair = await open(face)
    const journal = journalOf(pair.client)
    const other = journalOf(pair.accepted)
    const ends = Promise.all([once(pair.client, 'close'), once(pair.accepted, 'close')])
    pair.client.close(4000, 'a reason')
    expect(pair.client.readyState).toBe(2)
    pair.client.close(1000)
    await ends
    expect(journal).toEqual(['close 4000 a reason'])
    expect(other).toEqual(['close 4000 a reason'])
    expect([pair.client.readyState, pair.accepted.readyState]).toEqual([3, 3])
    await pair.close()
  })

  it('reports 1005 for a close without a code, and 1006 for a connection that is cut', async () => {
    const first = await open(face)
    const isClosed = once(first.accepted, 'close')
    first.client.close()
    expect((await isClosed).map(String)).toEqual(['1005', ''])
    await first.close()
    const second = await open(face)
    const journal = journalOf(second.accepted)
    const cut = Promise.all([once(second.accepted, 'close'), once(second.client, 'close')])
    second.client.terminate()
    await cut
    expect(journal).toEqual(['close 1006 '])
    await second.close()
  })

  it('refuses codes and reasons that must not be sent, and stays open', async () => {
    const { client, close } = await open(face)
    for (const code of [999, 1005, 1006, 5000, 'x']) {
      expect(() => client.close(code as number)).toThrow('First argument must be a valid error code number')
    }
    expect(() => client.close(1000, 'x'.repeat(124))).toThrow(
      'The message must not be greater than 123 bytes',
    )
    expect(client.readyState).toBe(1)
    await close()
  })

  it('gives errors to callbacks of messages after the end, and counts the bytes', async () => {
    const { client, close } = await open(face)
    const isClosed = once(client, 'close')
    client.close()
    const errors: string[] = []
    client.send('abc', (error) => errors.push(String(error)))
    client.ping('de', false, (error) => errors.push(String(error)))
    await isClosed
    client.send('f', (error) => errors.push(String(error)))
    expect(client.bufferedAmount).toBe(6)
    while (errors.length < 3) await turn()
    expect(errors).toEqual([
      'Error: WebSocket is not open: readyState 2 (CLOSING)',
      'Error: WebSocket is not open: readyState 2 (CLOSING)',
      'Error: WebSocket is not open: readyState 3 (CLOSED)',
    ])
    await close()
  })

  it.each([
    ['a reserved bit', [0xc1, ...MASKED_EMPTY], 'RSV1 must be clear', 'WS_ERR_UNEXPECTED_RSV_1', 1002],
    [
      'a reserved bit',
      [0xa1, ...MASKED_EMPTY],
      'RSV2 and RSV3 must be clear',
      'WS_ERR_UNEXPECTED_RSV_2_3',
      1002,
    ],
    ['an opcode', [0x83, ...MASKED_EMPTY], 'invalid opcode 3', 'WS_ERR_INVALID_OPCODE', 1002],
    ['a fragment', [0x80, ...MASKED_EMPTY], 'invalid opcode 0', 'WS_ERR_INVALID_OPCODE', 1002],
    ['a ping in parts', [0x09, ...MASKED_EMPTY], 'FIN must be set', 'WS_ERR_EXPECTED_FIN', 1002],
    [
      'a long ping',
      [0x89, 0xfe, 0, 126],
      'invalid payload length 126',
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      1002,
    ],
    ['no mask', [0x81, 0x00], 'MASK must be set', 'WS_ERR_EXPECTED_MASK', 1002],
    [
      'a close of one byte',
      [0x88, 0x81, 0, 0, 0, 0, 3],
      'invalid payload length 1',
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      1002,
    ],
    [
      'a close code',
      [0x88, 0x82, 0, 0, 0, 0, 0, 5],
      'invalid status code 5',
      'WS_ERR_INVALID_CLOSE_CODE',
      1002,
    ],
    ['text', [0x81, 0x81, 0, 0, 0, 0, 0xff], 'invalid UTF-8 sequence', 'WS_ERR_INVALID_UTF8', 1007],
  ])(
    'emits an error, then close 1006, for %s that is wrong (%#)',
    async (_what, bytes, text, code, status) => {
      const server = await listen(face)
      const connection = once(server, 'connection')
      const peer = await connectRaw(server)
      const [accepted] = (await connection) as [WebSocket]
      const journal = journalOf(accepted)
      peer.socket.write(Buffer.from(bytes))
      await closed(accepted)
      const kind = code === 'WS_ERR_INVALID_UTF8' ? 'Error' : 'RangeError'
      expect(journal).toEqual([`error ${kind} Invalid WebSocket frame: ${text} ${code}`, 'close 1006 '])
      expect(peer.received().subarray(0, 4).toString('hex')).toBe(
        `8802${status.toString(16).padStart(4, '0')}`,
      )
      await closeServer(server)
    },
  )

  it('limits messages and fragments, and takes any text with skipUTF8Validation', async () => {
    const server = await listen(face, { maxPayload: 4, maxFragments: 2, skipUTF8Validation: true })
    const journals: string[][] = []
    for (const bytes of [
      [0x82, 0x85, 0, 0, 0, 0, 1, 2, 3, 4, 5],
      [0x02, 0x80, 0, 0, 0, 0, 0x00, 0x80, 0, 0, 0, 0, 0x00, 0x80, 0, 0, 0, 0],
      [
        0x81, 0x81, 0, 0, 0, 0, 0x80, 0x01, 0x81, 0, 0, 0, 0, 0xff, 0x80, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0,
        0, 0,
      ],
    ]) {
      const connection = once(server, 'connection')
      const peer = await connectRaw(server)
      const [accepted] = (await connection) as [WebSocket]
      journals.push(journalOf(accepted))
      peer.socket.end(Buffer.from(bytes))
      await closed(accepted)
    }
    expect(journals).toEqual([
      ['error RangeError Max payload size exceeded WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'close 1006 '],
      ['error RangeError Too many message fragments WS_ERR_TOO_MANY_BUFFERED_PARTS', 'close 1006 '],
      ['message \ufffd false', 'message \ufffd false', 'close 1005 '],
    ])
    await closeServer(server)
  })

  it('pauses, resumes, and reports what came in between', async () => {
    const { client, accepted, close } = await open(face)
    const journal = journalOf(accepted)
    accepted.pause()
    expect(accepted.isPaused).toBe(true)
    client.send('later')
    await delay(30)
    expect(journal).toEqual([])
    accepted.resume()
    expect(accepted.isPaused).toBe(false)
    await once(accepted, 'message')
    expect(journal).toEqual(['message later false'])
    await close()
  })

  it('emits one message in a turn of the event loop with allowSynchronousEvents: false', async () => {
    const pair = await open(face, {}, { allowSynchronousEvents: false })
    let inTurn = 0
    let most = 0
    let count = 0
    pair.client.on('message', () => {
      count++
      most = Math.max(most, ++inTurn)
      setImmediate(() => (inTurn = 0))
    })
    for (let i = 0; i < 20; i++) pair.accepted.send('x')
    while (count < 20) await turn()
    expect(most).toBeLessThanOrEqual(2)
    await pair.close()
  })

  it('hands messages, closes and errors to listeners of browsers', async () => {
    const pair = await open(face)
    const seen: unknown[] = []
    pair.client.onmessage = ({ data, type, target }) => {
      seen.push([type, data, target === pair.client])
    }
    const handler = { handleEvent: ({ data }: { data: unknown }) => seen.push(data) }
    pair.client.addEventListener('message', handler, { once: true })
    pair.client.addEventListener('close', ({ code, reason, wasClean }) => seen.push([code, reason, wasClean]))
    pair.accepted.send('one')
    pair.accepted.send(Buffer.from('two'))
    pair.accepted.close(1000, 'done')
    await once(pair.client, 'close')
    await turn()
    expect(seen).toEqual([
      ['message', 'one', true],
      'one',
      ['message', Buffer.from('two'), true],
      [1000, 'done', true],
    ])
    await pair.close()
  })

  it('keeps its socket whole: address, raw bytes in order, end and destroy', async () => {
    const pair = await open(face)
    const { _socket: socket } = pair.accepted as unknown as { _socket: Socket }
    expect(socket.remoteAddress).toBe('127.0.0.1')
    socket.setKeepAlive(true)
    socket.unref()
    socket.ref()
    const journal = journalOf(pair.client)
    pair.accepted.send('first')
    const again = pair.accepted as unknown as { _socket: Socket }
    again._socket.write(Buffer.from([0x81, 0x01, 0x78]))
    pair.accepted.send('last')
    again._socket.end()
    await once(pair.client, 'close')
    expect(journal).toEqual(['message first false', 'message x false', 'message last false', 'close 1006 '])
    await pair.close()
  })

  it('writes frames that Sender.frame made, in the order of the calls', async () => {
    const pair = await open(face)
    const journal = journalOf(pair.client)
    const { Sender } = face as unknown as {
      Sender: { frame(data: Buffer, options: object): Buffer[] }
    }
    const frame = Sender.frame(Buffer.from('framed'), {
      fin: true,
      rsv1: false,
      mask: false,
      opcode: 1,
      readOnly: false,
    })
    const { _sender: sender } = pair.accepted as unknown as {
      _sender: { sendFrame(list: Buffer[], callback: (error?: Error) => void): void }
    }
    pair.accepted.send('before')
    const sent = new Promise((resolve) => {
      sender.sendFrame(frame, resolve)
    })
    pair.accepted.send('after')
    await sent
    while (journal.length < 3) await turn()
    expect(journal).toEqual(['message before false', 'message framed false', 'message after false'])
    await pair.close()
  })

  it('counts what the peer does not read, and emits drain at its socket when it does', async () => {
    const server = await listen(face)
    const connection = once(server, 'connection')
    const peer = await connectRaw(server)
    const [accepted] = (await connection) as [WebSocket]
    peer.socket.pause()
    const chunk = Buffer.alloc(64 * 1024)
    let taken = 0
    while (accepted.bufferedAmount < 1024 * 1024) accepted.send(chunk, () => taken++)
    const { _socket: socket } = accepted as unknown as { _socket: Socket }
    const drained = once(socket, 'drain')
    peer.socket.resume()
    await drained
    while (accepted.bufferedAmount > 0) await turn()
    await turn()
    expect(taken).toBeGreaterThan(16)
    await closeServer(server)
  })

  it('takes any duplex by setSocket, as a server and as a client', async () => {
    const [left, right] = duplexPair()
    const accepted = new face(null as never, undefined, {}) as WebSocket & Internals
    const client = new face(null as never, undefined, {}) as WebSocket & Internals
    client._isServer = false
    const journal = journalOf(accepted)
    const other = journalOf(client)
    accepted.setSocket(left, Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x68]), { maxPayload: 0 })
    client.setSocket(right, Buffer.alloc(0), { maxPayload: 0 })
    client.send('a')
    accepted.send('b')
    await once(client, 'message')
    const ends = Promise.all([once(client, 'close'), once(accepted, 'close')])
    client.close(1000)
    await turn()
    left.on('finish', () => left.destroy())
    right.on('finish', () => right.destroy())
    await ends
    expect(journal).toEqual(['open', 'message h false', 'message a false', 'close 1000 '])
    expect(other).toEqual(['open', 'message b false', 'close 1000 '])
  })

  it('lets the error of a handler through to whatever called it', async () => {
    const [left] = duplexPair()
    const accepted = new face(null as never, undefined, {}) as WebSocket & Internals
    accepted.setSocket(left, Buffer.alloc(0), {})
    await turn()
    await turn()
    accepted.once('message', () => {
      throw new Error('thrown by a handler')
    })
    const frame = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x68])
    expect(() => left.emit('data', frame)).toThrow('thrown by a handler')
    expect(accepted.readyState).toBe(1)
    left.destroy()
  })

  it('cuts the connection when the closing handshake takes longer than closeTimeout', async () => {
    const server = await listen(face, { closeTimeout: 50 } as never)
    const connection = once(server, 'connection')
    await connectRaw(server)
    const [accepted] = (await connection) as [WebSocket]
    accepted.close(1000)
    expect((await once(accepted, 'close')).map(String)).toEqual(['1006', ''])
    await closeServer(server)
  })

  it('connects by an URL object, and by http', async () => {
    const server = await listen(face)
    for (const address of [new URL(urlOf(server)), urlOf(server).replace('ws:', 'http:')]) {
      const client = new face(address)
      await once(client, 'open')
      expect(client.url).toBe(`${urlOf(server)}/`)
      const isClosed = once(client, 'close')
      client.close()
      await isClosed
    }
    await closeServer(server)
  })
})

interface Internals {
  _isServer: boolean
  setSocket(socket: Duplex, head: Buffer, options: object): void
}
