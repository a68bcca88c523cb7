/** The cases on send(), on what messages become, and on bufferedAmount. */
import { WebSocket } from '../../../src/whatwg/index.js'
import { nameOfThrown, next, nextData, numbered, type WptCase, type World } from './world.js'

const SEND = 'interfaces/WebSocket/send'
const AMOUNT = 'interfaces/WebSocket/bufferedAmount'

/** Sends something to a server that sends it back. @returns the bytes of what comes */
async function echoed(
  world: World,
  data: unknown,
  binaryType: 'blob' | 'arraybuffer' = 'arraybuffer',
): Promise<unknown> {
  const socket = await world.opened('echo')
  socket.binaryType = binaryType
  socket.send(data as string)
  const got = await nextData(socket)
  socket.close()
  return got
}

const bytesOf = (data: unknown): number[] => [...new Uint8Array(data as ArrayBuffer)]

function filled(length: number): ArrayBuffer {
  return Uint8Array.from({ length }, (_, i) => i % 256).buffer
}

/** Views of the bytes of {@link filled}, and the bytes that each shows. */
const VIEWS: readonly (readonly [view: ArrayBufferView, start: number, end: number])[] = [
  [new Int8Array(filled(16)), 0, 16],
  [new Uint8Array(filled(16), 2), 2, 16],
  [new Uint8Array(filled(16), 2, 4), 2, 6],
  [new Int16Array(filled(16), 2), 2, 16],
  [new Uint16Array(filled(16), 2, 4), 2, 10],
  [new Int32Array(filled(16)), 0, 16],
  [new Uint32Array(filled(16), 4), 4, 16],
  [new Float32Array(filled(16)), 0, 16],
  [new Float64Array(filled(16), 8), 8, 16],
  [new DataView(filled(16), 1, 3), 1, 4],
]

const VIEW_NAMES = [
  ...[
    'float16',
    'float32',
    'float64',
    'int16-offset',
    'int32',
    'int8',
    'uint16-offset-length',
    'uint32-offset',
  ],
  ...['uint8-offset-length', 'uint8-offset'],
].map((name) => `Send-binary-arraybufferview-${name}`)

export const SENDING: readonly WptCase[] = [
  {
    files: ['Send-before-open', ...numbered(SEND, 1, 4)],
    title: 'send() without an argument is a TypeError, and while connecting an InvalidStateError',
    run: async (world) => {
      const socket = world.connect('echo')
      expect(nameOfThrown(() => (socket.send as () => void)())).toBe('TypeError')
      for (const data of ['a', '\uDC00', new Uint8Array(1), new Blob(['x'])]) {
        expect(nameOfThrown(() => socket.send(data))).toBe('InvalidStateError')
      }
      await next(socket, 'open')
      expect(nameOfThrown(() => (socket.send as () => void)())).toBe('TypeError')
    },
  },
  {
    files: [
      'Send-data',
      'Send-0byte-data',
      'Send-unicode-data',
      'Send-paired-surrogates',
      ...numbered(SEND, 5, 5),
      ...numbered(SEND, 7, 9),
      ...numbered(SEND, 11, 11),
    ],
    secure: ['Secure-Send-data', 'Secure-Send-unicode-data', 'Secure-Send-paired-surrogates'],
    title: 'text comes back as it was sent',
    run: async (world) => {
      const texts = ['Message to send', '', '¥¥¥¥¥¥', '\uD801\uDC07', 'å a\u030A \uD801\uDC7E', 'a\0b']
      for (const text of texts) expect(await echoed(world, text)).toBe(text)
    },
  },
  {
    files: ['Send-Unpaired-Surrogates', ...numbered(SEND, 6, 6)],
    secure: ['Secure-Send-unpaired-surrogates'],
    title: 'lone surrogates become U+FFFD',
    run: async (world) => {
      expect(await echoed(world, 'a\uDC00xb\uD800xc\uDC00\uD800x')).toBe('a\uFFFDxb\uFFFDxc\uFFFD\uFFFDx')
    },
  },
  {
    files: ['Send-null', ...numbered(SEND, 10, 10), ...numbered(SEND, 12, 12)],
    secure: ['Secure-Send-null'],
    title: 'what is neither text nor bytes is sent as its text',
    run: async (world) => {
      const socket = await world.opened('echo')
      const rows: [value: unknown, text: string][] = [
        ...([
          [null, 'null'],
          [undefined, 'undefined'],
          [1, '1'],
          [5n, '5'],
          [{}, '[object Object]'],
        ] as [unknown, string][]),
        ...([
          [[1, 2], '1,2'],
          [[], ''],
          [socket, '[object WebSocket]'],
          [new Error('x'), 'Error: x'],
        ] as [unknown, string][]),
      ]
      for (const [value, text] of rows) {
        socket.send(value as string)
        expect(await nextData(socket)).toBe(text)
      }
      expect(nameOfThrown(() => socket.send(Symbol('x') as unknown as string))).toBe('TypeError')
    },
  },
  {
    files: ['Send-65K-data', 'extended-payload-length'],
    secure: ['Secure-Send-65K-data'],
    title: 'payloads come back at each border between the forms of the length',
    run: async (world) => {
      for (const length of [125, 126, 127, 0x7fff, 0xffff, 0x10000, 65_000]) {
        expect(await echoed(world, 'x'.repeat(length))).toBe('x'.repeat(length))
      }
    },
  },
  {
    files: ['Send-binary-arraybuffer', 'Send-binary-65K-arraybuffer', 'binary/004', 'binary/005'],
    secure: ['Secure-Send-binary-arraybuffer', 'Secure-Send-binary-65K-arraybuffer'],
    title: 'an ArrayBuffer comes back as an ArrayBuffer of its own',
    run: async (world) => {
      for (const length of [0, 10, 15, 65_000, 100_000]) {
        const got = await echoed(world, filled(length))
        expect(got).toBeInstanceOf(ArrayBuffer)
        expect(Buffer.from(got as ArrayBuffer).equals(Buffer.from(filled(length)))).toBe(true)
      }
    },
  },
  {
    files: VIEW_NAMES,
    secure: VIEW_NAMES.map((name) => `Secure-${name}`),
    title: 'a view sends the bytes that it shows',
    run: async (world) => {
      for (const [view, start, end] of VIEWS) {
        expect(bytesOf(await echoed(world, view))).toEqual(bytesOf(filled(16)).slice(start, end))
      }
    },
  },
  {
    files: ['Send-binary-blob', 'binary/001', 'binary/002', 'Create-valid-url-binaryType-blob'],
    secure: ['Secure-Send-binary-blob', 'Create-Secure-valid-url-binaryType-blob'],
    title: 'a Blob comes back, as a Blob by default',
    run: async (world) => {
      for (const length of [0, 10, 100_000]) {
        const got = (await echoed(world, new Blob([filled(length)]), 'blob')) as Blob
        expect(got).toBeInstanceOf(Blob)
        expect(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(filled(length)))).toBe(true)
      }
    },
  },
  {
    files: ['binaryType-wrong-value'],
    title: 'binaryType is "blob" at first, and ignores other values than "blob" and "arraybuffer"',
    run: async (world) => {
      const socket = await world.opened('echo')
      expect(socket.binaryType).toBe('blob')
      for (const value of ['notBlobOrArrayBuffer', '', 'Blob', null, 1]) {
        socket.binaryType = value as 'blob'
        expect(socket.binaryType).toBe('blob')
      }
      socket.binaryType = 'arraybuffer'
      expect(socket.binaryType).toBe('arraybuffer')
      expect(world.connect('echo').readyState).toBe(0)
    },
  },
  {
    files: [
      ...numbered(AMOUNT, 1, 4),
      ...numbered(AMOUNT, 8, 10),
      ...['arraybuffer', 'blob', 'getting', 'large', 'unicode', 'initial'].map(
        (name) => `${AMOUNT}/bufferedAmount-${name}`,
      ),
    ],
    title:
      'bufferedAmount counts the bytes of messages until the code that sends is done, and is 0 once they left',
    run: async (world) => {
      const socket = world.connect('echo')
      expect(socket.bufferedAmount).toBe(0)
      await next(socket, 'open')
      socket.send('¥¥¥¥¥¥')
      expect(socket.bufferedAmount).toBe(12)
      socket.send(new ArrayBuffer(10))
      expect(socket.bufferedAmount).toBe(22)
      socket.send(new Blob(['12345']))
      expect(socket.bufferedAmount).toBe(27)
      socket.send('x'.repeat(65_000))
      expect(socket.bufferedAmount).toBe(65_027)
      for (let i = 0; i < 4; i++) await next(socket, 'message')
      expect(socket.bufferedAmount).toBe(0)
    },
  },
  {
    files: [
      ...numbered(AMOUNT, 5, 7),
      ...['defineProperty-getter', 'defineProperty-setter', 'deleting', 'readonly'].map(
        (name) => `${AMOUNT}/bufferedAmount-${name}`,
      ),
      ...numbered('interfaces/WebSocket/url', 2, 6),
    ],
    title:
      'attributes of the prototype are read-only, stay when an object’s are deleted, and can be defined anew',
    run: () => {
      const socket = new WebSocket('ws://127.0.0.1:1/')
      for (const [name, value] of [
        ['bufferedAmount', 0],
        ['url', 'ws://127.0.0.1:1/'],
      ] as const) {
        expect(nameOfThrown(() => Object.assign(socket, { [name]: 5 }))).toBe('TypeError')
        expect(Reflect.deleteProperty(socket, name)).toBe(true)
        expect(socket[name]).toBe(value)
        const original = Object.getOwnPropertyDescriptor(WebSocket.prototype, name)!
        Object.defineProperty(WebSocket.prototype, name, { get: () => 'mine', configurable: true })
        expect(socket[name]).toBe('mine')
        Object.defineProperty(WebSocket.prototype, name, original)
      }
    },
  },
  {
    files: ['send-many-64K-messages-with-backpressure'],
    title: 'fifty messages of 64 KiB to a server that reads late are all taken',
    run: async (world) => {
      const socket = await world.opened('stall?300')
      for (let i = 0; i < 50; i++) socket.send(new Uint8Array(65_536))
      socket.close()
      expect((await next(socket, 'close')).wasClean).toBe(true)
      expect(socket.bufferedAmount).toBe(0)
    },
  },
]
