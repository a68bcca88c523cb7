import { constants, deflateRawSync } from 'node:zlib'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { closeFrame, frame, frames, KEY, OP, type FrameSpec } from '../helpers/frame-builder.js'
import { IMPLEMENTATIONS } from './implementations.js'

interface ReceivedError extends Error {
  readonly code?: string
}

describe.each(IMPLEMENTATIONS)('Receiver of %s', (_name, { Receiver, PerMessageDeflate }) => {
  type Options = NonNullable<ConstructorParameters<typeof Receiver>[0]>
  type Events = unknown[][]

  const EVENTS = ['message', 'ping', 'pong', 'conclude'] as const

  /** A receiver, and what it emits. */
  const receive = (options: Options = {}): { receiver: InstanceType<typeof Receiver>; events: Events } => {
    const receiver = new Receiver(options)
    const events: Events = []
    for (const name of EVENTS) receiver.on(name, (...values: unknown[]) => events.push([name, ...values]))
    return { receiver, events }
  }

  /** What a receiver emits for some chunks. */
  const eventsOf = (options: Options, ...chunks: Uint8Array[]): Events => {
    const { receiver, events } = receive(options)
    for (const chunk of chunks) receiver.write(chunk)
    return events
  }

  /** The error of a receiver for some chunks. */
  const errorOf = (options: Options, ...chunks: Uint8Array[]): Promise<ReceivedError> => {
    const { receiver } = receive(options)
    return new Promise((resolve) => {
      receiver.on('error', resolve)
      for (const chunk of chunks) receiver.write(chunk)
    })
  }

  const statusOf = (error: Error): unknown => {
    const symbol = Object.getOwnPropertySymbols(error).find(
      ({ description }) => description === 'status-code',
    )
    return symbol === undefined ? undefined : (error as unknown as Record<symbol, unknown>)[symbol]
  }

  const deflating = (options = {}): Record<string, unknown> => {
    const codec = new PerMessageDeflate(options)
    codec.accept([{}])
    return { [PerMessageDeflate.extensionName]: codec }
  }

  const deflated = (data: string | Uint8Array): Buffer =>
    deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)

  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff))
  const binary = (payload: Uint8Array): Buffer => frame({ opcode: OP.BINARY, payload })
  const text = (payload: string, rest: Partial<FrameSpec> = {}): Buffer =>
    frame({ opcode: OP.TEXT, payload, ...rest })

  describe('Messages', () => {
    it('are given as a Buffer, with whether they are binary', () => {
      expect(eventsOf({}, text('hé'), binary(Buffer.from([1, 2])), text(''))).toEqual([
        ['message', Buffer.from('hé'), false],
        ['message', Buffer.from([1, 2]), true],
        ['message', Buffer.alloc(0), false],
      ])
    })

    it.each([0, 125, 126, 127, 65535, 65536, 200 * 1024])('of %d bytes are whole', (length) => {
      const payload = bytes(length)
      const masked = frame({ opcode: OP.BINARY, payload, key: KEY })
      for (const events of [eventsOf({}, binary(payload)), eventsOf({ isServer: true }, masked)]) {
        const [[name, data, isBinary]] = events as [[string, Buffer, boolean]]
        // By Buffer's own comparison: that of jest takes seconds for the longest.
        expect([events.length, name, data.equals(payload), isBinary]).toEqual([1, 'message', true, true])
      }
    })

    it('are whole however their frames are cut', () => {
      const payload = bytes(300)
      const wire = frame({ opcode: OP.BINARY, payload, key: KEY })
      for (const size of [1, 2, 3, 7, 100]) {
        const chunks: Buffer[] = []
        for (let at = 0; at < wire.length; at += size) chunks.push(Buffer.from(wire.subarray(at, at + size)))
        expect(eventsOf({ isServer: true }, ...chunks)).toEqual([['message', payload, true]])
      }
    })

    it('may come several in one chunk', () => {
      const chunk = Buffer.concat([text('a'), text('b'), frame({ opcode: OP.PING, payload: 'p' }), text('c')])
      expect(eventsOf({}, chunk)).toEqual([
        ['message', Buffer.from('a'), false],
        ['message', Buffer.from('b'), false],
        ['ping', Buffer.from('p')],
        ['message', Buffer.from('c'), false],
      ])
    })

    it('are joined of fragments, with control frames between', () => {
      const chunk = frames(
        { opcode: OP.TEXT, payload: 'Hé'.slice(0, 1), fin: false },
        { opcode: OP.PING, payload: 'p' },
        { opcode: OP.CONTINUATION, payload: [0xc3], fin: false },
        { opcode: OP.PONG },
        { opcode: OP.CONTINUATION, payload: [0xa9] },
      )
      expect(eventsOf({}, chunk)).toEqual([
        ['ping', Buffer.from('p')],
        ['pong', Buffer.alloc(0)],
        ['message', Buffer.from('Hé'), false],
      ])
    })

    it('may have thousands of fragments', () => {
      const specs: FrameSpec[] = [{ opcode: OP.BINARY, payload: 'a', fin: false }]
      for (let i = 0; i < 4000; i++) specs.push({ opcode: OP.CONTINUATION, payload: 'a', fin: false })
      specs.push({ opcode: OP.CONTINUATION })
      expect(eventsOf({}, frames(...specs))).toEqual([['message', Buffer.alloc(4001, 'a'), true]])
    })

    it('are ArrayBuffers of their own with binaryType arraybuffer, and text a Buffer', () => {
      const events = eventsOf({ binaryType: 'arraybuffer' }, binary(Buffer.from([1, 2])), text('a'))
      expect(events).toEqual([
        ['message', Uint8Array.from([1, 2]).buffer, true],
        ['message', Buffer.from('a'), false],
      ])
      expect((events[0]![1] as ArrayBuffer).byteLength).toBe(2)
    })

    it('are lists with binaryType fragments, without empty fragments', () => {
      const chunk = frames(
        { opcode: OP.BINARY, payload: 'a', fin: false },
        { opcode: OP.CONTINUATION, fin: false },
        { opcode: OP.CONTINUATION, payload: 'bc' },
        { opcode: OP.BINARY },
        { opcode: OP.TEXT, payload: 'd', fin: false },
        { opcode: OP.CONTINUATION, payload: 'e' },
      )
      expect(eventsOf({ binaryType: 'fragments' }, chunk)).toEqual([
        ['message', [Buffer.from('a'), Buffer.from('bc')], true],
        ['message', [], true],
        ['message', Buffer.from('de'), false],
      ])
    })

    it('are Blobs with binaryType blob', async () => {
      const [[, blob, isBinary]] = eventsOf({ binaryType: 'blob' }, binary(Buffer.from('abc'))) as [
        [string, Blob, boolean],
      ]
      expect(isBinary).toBe(true)
      expect(blob).toBeInstanceOf(Blob)
      expect(await blob.text()).toBe('abc')
    })
  })

  describe('A Close frame', () => {
    it.each([
      ['code and reason', closeFrame(1000, 'bye'), 1000, 'bye'],
      ['a code', closeFrame(4999), 4999, ''],
      ['nothing', frame({ opcode: OP.CLOSE }), 1005, ''],
    ])('with %s concludes, and finishes the stream', async (_what, chunk, code, reason) => {
      const { receiver, events } = receive()
      const finished = new Promise((resolve) => receiver.on('finish', resolve))
      receiver.write(chunk)
      await finished
      expect(events).toEqual([['conclude', code, Buffer.from(reason)]])
    })

    it('is the last that is read', async () => {
      const { receiver, events } = receive()
      receiver.write(Buffer.concat([closeFrame(1000, ''), text('late')]))
      await turn()
      expect(events).toEqual([['conclude', 1000, Buffer.alloc(0)]])
    })
  })

  describe('A peer that breaks the protocol', () => {
    const INVALID = 'Invalid WebSocket frame: '
    it.each([
      [
        'RSV1 without an extension',
        {},
        [0xc1, 0],
        1002,
        'WS_ERR_UNEXPECTED_RSV_1',
        `${INVALID}RSV1 must be clear`,
      ],
      ['RSV2', {}, [0xa1, 0], 1002, 'WS_ERR_UNEXPECTED_RSV_2_3', `${INVALID}RSV2 and RSV3 must be clear`],
      ['RSV3', {}, [0x91, 0], 1002, 'WS_ERR_UNEXPECTED_RSV_2_3', `${INVALID}RSV2 and RSV3 must be clear`],
      ['opcode 3', {}, [0x83, 0], 1002, 'WS_ERR_INVALID_OPCODE', `${INVALID}invalid opcode 3`],
      ['opcode 11', {}, [0x8b, 0], 1002, 'WS_ERR_INVALID_OPCODE', `${INVALID}invalid opcode 11`],
      [
        'a continuation of nothing',
        {},
        [0x80, 0],
        1002,
        'WS_ERR_INVALID_OPCODE',
        `${INVALID}invalid opcode 0`,
      ],
      [
        'a message inside of one',
        {},
        [1, 0, 0x82, 0],
        1002,
        'WS_ERR_INVALID_OPCODE',
        `${INVALID}invalid opcode 2`,
      ],
      ['a fragmented ping', {}, [9, 0], 1002, 'WS_ERR_EXPECTED_FIN', `${INVALID}FIN must be set`],
      [
        'a ping of 126 bytes',
        {},
        [0x89, 126, 0, 126],
        1002,
        'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
        `${INVALID}invalid payload length 126`,
      ],
      [
        'a ping of 2^16 bytes',
        {},
        [0x89, 127],
        1002,
        'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
        `${INVALID}invalid payload length 127`,
      ],
      [
        'a close of one byte',
        {},
        [0x88, 1],
        1002,
        'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
        `${INVALID}invalid payload length 1`,
      ],
      [
        'a frame of a client without a mask',
        { isServer: true },
        [0x81, 0],
        1002,
        'WS_ERR_EXPECTED_MASK',
        `${INVALID}MASK must be set`,
      ],
      [
        'a frame of a server with a mask',
        {},
        [0x81, 0x80, 0, 0, 0, 0],
        1002,
        'WS_ERR_UNEXPECTED_MASK',
        `${INVALID}MASK must be clear`,
      ],
      [
        'a length of 2^53',
        {},
        [0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0],
        1009,
        'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
        'Unsupported WebSocket frame: payload length > 2^53 - 1',
      ],
      [
        'a length of 2^63',
        {},
        [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        1009,
        'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
        'Unsupported WebSocket frame: payload length > 2^53 - 1',
      ],
      [
        'a frame above maxPayload',
        { maxPayload: 2 },
        [0x82, 3],
        1009,
        'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
        'Max payload size exceeded',
      ],
      [
        'a message above maxPayload',
        { maxPayload: 2 },
        [2, 2, 65, 65, 0x80, 1],
        1009,
        'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
        'Max payload size exceeded',
      ],
      [
        'a close code that is reserved',
        {},
        [0x88, 2, 0x03, 0xed],
        1002,
        'WS_ERR_INVALID_CLOSE_CODE',
        `${INVALID}invalid status code 1005`,
      ],
      [
        'a close code below 1000',
        {},
        [0x88, 2, 0, 1],
        1002,
        'WS_ERR_INVALID_CLOSE_CODE',
        `${INVALID}invalid status code 1`,
      ],
      [
        'more frames than maxFragments',
        { maxFragments: 2 },
        [2, 0, 0, 0, 0, 0],
        1008,
        'WS_ERR_TOO_MANY_BUFFERED_PARTS',
        'Too many message fragments',
      ],
    ])(
      'by %s gets a RangeError with the code of ws',
      async (_what, options, chunk, status, code, message) => {
        const error = await errorOf(options, Buffer.from(chunk))
        expect(error.constructor.name).toBe('RangeError')
        expect([error.code, error.message, statusOf(error)]).toEqual([code, message, status])
      },
    )

    it.each([
      ['a long ping without a mask', true, [0x89, 0x7e], `${INVALID}invalid payload length 126`],
      ['a long pong with a mask', false, [0x8a, 0xff], `${INVALID}invalid payload length 127`],
      ['a close of one byte without a mask', true, [0x88, 1], `${INVALID}invalid payload length 1`],
      ['a close of one byte with a mask', false, [0x88, 0x81], `${INVALID}invalid payload length 1`],
      ['a text of one byte without a mask', true, [0x81, 1], `${INVALID}MASK must be set`],
    ])('in two ways by %s gets the error of the first', async (_what, isServer, chunk, message) => {
      const error = await errorOf({ isServer }, Buffer.from(chunk))
      expect(error.message).toBe(message)
    })

    it('by a continuation of nothing with RSV1 gets the error of the bit, where compression is in use', async () => {
      const deflate = new PerMessageDeflate()
      deflate.accept([{}])
      const extensions = { [PerMessageDeflate.extensionName]: deflate }
      const error = await errorOf({ extensions }, Buffer.from([0x40, 0]))
      expect([error.code, error.message]).toEqual(['WS_ERR_UNEXPECTED_RSV_1', `${INVALID}RSV1 must be clear`])
    })

    it.each([
      ['a text', [0x81, 4, 0x61, 0xff, 0x62, 0x63]],
      ['a text that ends inside a character', [0x81, 1, 0xc3]],
      ['a text in fragments', [0x01, 1, 0xc3, 0x80, 1, 0x28]],
      ['the reason of a Close frame', [0x88, 4, 3, 0xe8, 0xc3, 0x28]],
    ])('by %s that is not UTF-8 gets an Error', async (_what, chunk) => {
      const error = await errorOf({}, Buffer.from(chunk))
      expect(error.constructor.name).toBe('Error')
      expect([error.code, error.message, statusOf(error)]).toEqual([
        'WS_ERR_INVALID_UTF8',
        `${INVALID}invalid UTF-8 sequence`,
        1007,
      ])
    })

    it('is not noticed in UTF-8 with skipUTF8Validation', () => {
      const chunk = Buffer.from([0x81, 1, 0xff, 0x88, 3, 3, 0xe8, 0xff])
      expect(eventsOf({ skipUTF8Validation: true }, chunk)).toEqual([
        ['message', Buffer.from([0xff]), false],
        ['conclude', 1000, Buffer.from([0xff])],
      ])
    })

    it('is heard with the messages before, and nothing after', async () => {
      const { receiver, events } = receive()
      const error = new Promise((resolve) => receiver.on('error', resolve))
      receiver.write(Buffer.concat([text('a'), Buffer.from([0x83, 0]), text('b')]))
      await error
      expect(events).toEqual([['message', Buffer.from('a'), false]])
      expect(receiver.destroyed).toBe(true)
    })

    it('by too many chunks gets a RangeError', async () => {
      const error = await errorOf(
        { maxBufferedChunks: 2 },
        Buffer.from([0x82, 5]),
        ...[1, 2, 3].map((byte) => Buffer.from([byte])),
      )
      expect([error.constructor.name, error.code, error.message, statusOf(error)]).toEqual([
        'RangeError',
        'WS_ERR_TOO_MANY_BUFFERED_PARTS',
        'Too many buffered chunks',
        1008,
      ])
    })

    it('gives the error to the callback of the write as well', async () => {
      const { receiver } = receive()
      receiver.on('error', () => {})
      const error = await new Promise<Error | null | undefined>((resolve) => {
        receiver.write(Buffer.from([0x83, 0]), resolve)
      })
      expect(error?.message).toBe('Invalid WebSocket frame: invalid opcode 3')
    })
  })

  describe('Limits', () => {
    it('count each message by itself', () => {
      const two = { opcode: OP.BINARY, payload: 'a', fin: false }
      const last = { opcode: OP.CONTINUATION, payload: 'b' }
      const options = { maxFragments: 2, maxPayload: 2 }
      expect(eventsOf(options, frames(two, last, two, last, two, last))).toHaveLength(3)
    })

    it('do not count control frames', () => {
      const chunk = frames(
        { opcode: OP.BINARY, payload: 'a', fin: false },
        { opcode: OP.PING, payload: 'ping' },
        { opcode: OP.CONTINUATION, payload: 'b' },
      )
      expect(eventsOf({ maxFragments: 2, maxPayload: 2 }, chunk)).toHaveLength(2)
    })
  })

  describe('Compressed messages', () => {
    const compressed = (payload: Uint8Array, rest: Partial<FrameSpec> = {}): Buffer =>
      frame({ opcode: OP.TEXT, payload, rsv1: true, ...rest })

    const next = (receiver: InstanceType<typeof Receiver>): Promise<unknown[]> =>
      new Promise((resolve) => receiver.once('message', (...values: unknown[]) => resolve(values)))

    it('are inflated, and all that is sent after them waits', async () => {
      const { receiver, events } = receive({ extensions: deflating() })
      const chunk = [compressed(deflated('Hello')), frame({ opcode: OP.PING }), text('b')]
      receiver.write(Buffer.concat(chunk))
      expect(events).toEqual([])
      while (events.length < 3) await turn()
      expect(events).toEqual([
        ['message', Buffer.from('Hello'), false],
        ['ping', Buffer.alloc(0)],
        ['message', Buffer.from('b'), false],
      ])
    })

    it('are inflated of fragments', async () => {
      const { receiver } = receive({ extensions: deflating() })
      const payload = deflated('Hello Hello')
      const message = next(receiver)
      receiver.write(compressed(payload.subarray(0, 4), { fin: false }))
      receiver.write(frame({ opcode: OP.CONTINUATION, payload: payload.subarray(4) }))
      expect(await message).toEqual([Buffer.from('Hello Hello'), false])
    })

    it('know those before them', async () => {
      const { receiver } = receive({ extensions: deflating() })
      receiver.write(compressed(Buffer.from('f248cdc9c90700', 'hex')))
      expect(await next(receiver)).toEqual([Buffer.from('Hello'), false])
      receiver.write(compressed(Buffer.from('f200110000', 'hex'), { opcode: OP.BINARY }))
      expect(await next(receiver)).toEqual([Buffer.from('Hello'), true])
    })

    it('above maxPayload are refused while they are inflated', async () => {
      const extensions = deflating({ maxPayload: 1000 })
      const error = await errorOf(
        { extensions, maxPayload: 1000 },
        compressed(deflated(Buffer.alloc(1024 * 1024))),
      )
      expect([error.code, statusOf(error)]).toEqual(['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009])
    })

    it('above maxPayload in their fragments together are refused', async () => {
      const payload = deflated('a'.repeat(30))
      const again = deflated('b'.repeat(30))
      const error = await errorOf(
        { extensions: deflating({ maxPayload: 50 }), maxPayload: 50 },
        compressed(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), { fin: false }),
        frame({ opcode: OP.CONTINUATION, payload: again }),
      )
      expect(error.message).toBe('Max payload size exceeded')
    })

    it('that zlib does not take are refused with its error', async () => {
      const error = await errorOf({ extensions: deflating() }, compressed(Buffer.from([1, 2, 3])))
      expect([error.code, error.message, statusOf(error)]).toEqual([
        'Z_DATA_ERROR',
        'invalid stored block lengths',
        1007,
      ])
    })

    it.each([
      ['a continuation', [0xc1, 0, 0xc0, 0].slice(2), [0x41, 0]],
      ['a ping', [0xc9, 0], []],
    ])('are not begun by RSV1 on %s', async (_what, chunk, before) => {
      const error = await errorOf({ extensions: deflating() }, Buffer.from([...before, ...chunk]))
      expect(error.code).toBe('WS_ERR_UNEXPECTED_RSV_1')
    })
  })

  describe('allowSynchronousEvents', () => {
    const chunk = Buffer.concat([text('a'), binary(Buffer.from('b')), frame({ opcode: OP.PING }), text('c')])

    it('emits all events of a chunk at once by default', () => {
      expect(eventsOf({}, Buffer.from(chunk))).toHaveLength(4)
    })

    it('emits at most one event in a turn if it is false, in their order', async () => {
      const { receiver, events } = receive({ allowSynchronousEvents: false })
      const counts: number[] = []
      let inTurn = 0
      for (const name of EVENTS) receiver.on(name, () => inTurn++)
      receiver.write(Buffer.concat([chunk, closeFrame(1000, '')]))
      expect(events).toEqual([])
      while (events.length < 5) {
        await turn()
        counts.push(inTurn)
        inTurn = 0
      }
      expect(events.map(([name]) => name)).toEqual(['message', 'message', 'ping', 'message', 'conclude'])
      // The last event and the Close frame after it may share a turn.
      expect(Math.max(...counts.slice(0, 3))).toBeLessThanOrEqual(1)
    })
  })

  it('refuses a Close frame of one byte before its masking key is there', async () => {
    const head = Buffer.of(0x88, 0x81)
    const error = await errorOf({ isServer: true }, head.subarray(0, 1), head.subarray(1))
    expect([error.code, statusOf(error)]).toEqual(['WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', 1002])
  })

  it('calls back a write when its bytes are used, and drains', async () => {
    const { receiver } = receive()
    let calls = 0
    receiver.write(text('a'), () => calls++)
    receiver.write(Buffer.from([0x81, 5, 65]), () => calls++)
    await turn()
    expect(calls).toBe(2)
    expect(receiver.writableLength).toBe(0)
  })

  it('throws what a listener throws to the writer', () => {
    const receiver = new Receiver()
    receiver.on('message', () => {
      throw new Error('boo')
    })
    expect(() => receiver.write(text('a'))).toThrow('boo')
  })
})

describe('Receiver of the drop-in', () => {
  const [, [, { Receiver }]] = IMPLEMENTATIONS as readonly [unknown, (typeof IMPLEMENTATIONS)[number]]

  it('goes on after a listener threw, with the frames after that of its event', async () => {
    const receiver = new Receiver()
    const heard: string[] = []
    receiver.on('message', (data: Buffer) => {
      heard.push(data.toString())
      if (heard.length === 1) throw new Error('boo')
    })
    const frameOf = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })
    expect(() => receiver.write(Buffer.concat([frameOf('a'), frameOf('b')]))).toThrow('boo')
    await turn()
    await turn()
    receiver.write(frameOf('c'))
    await turn()
    expect(heard).toEqual(['a', 'b', 'c'])
  })

  it('does not emit after it is destroyed, as ws does', async () => {
    const receiver = new Receiver({ allowSynchronousEvents: false })
    const heard = jest.fn()
    receiver.on('message', heard)
    receiver.write(Buffer.from([0x81, 0, 0x81, 0]))
    receiver.destroy()
    await sleep(5)
    expect(heard).not.toHaveBeenCalled()
  })

  it('refuses a length in more bytes than it needs, which ws takes', async () => {
    const receiver = new Receiver()
    const error = new Promise<Error>((resolve) => receiver.on('error', resolve))
    receiver.write(frame({ opcode: OP.BINARY, payload: 'a', lengthForm: 16 }))
    expect((await error).message).toContain('payload length in more bytes than it needs')
  })
})
