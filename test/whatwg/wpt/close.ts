/** The cases on close(): codes, reasons, states, and what the close event says. */
import { CloseEvent, WebSocket } from '../../../src/whatwg/index.js'
import { ended, journalOf, nameOfThrown, next, nextData, numbered, sleep, type WptCase } from './world.js'

const CLOSE = 'interfaces/WebSocket/close'
const closing = (socket: WebSocket, ...args: unknown[]): string =>
  nameOfThrown(() => (socket.close as (...args: unknown[]) => void).apply(socket, args))

export const CLOSING: readonly WptCase[] = [
  {
    files: [
      'close-invalid',
      'Close-0',
      'Close-NaN',
      'Close-null',
      'Close-string',
      'Close-2999-reason',
      'Close-onlyReason',
    ],
    secure: [
      ...['Secure-Close-0', 'Secure-Close-NaN', 'Secure-Close-null', 'Secure-Close-string'],
      ...['Secure-Close-2999-reason', 'Secure-Close-onlyReason'],
    ],
    title: 'a code that is not 1000 or 3000 to 4999 is an InvalidAccessError, in every state',
    run: async (world) => {
      const codes = [0, 500, NaN, 'string', null, 65_536 + 1000, 999, 1001, 2999, 5000, -1]
      const expected = codes.map(() => 'InvalidAccessError')
      const socket = world.connect('echo')
      expect(codes.map((code) => closing(socket, code))).toEqual(expected)
      await next(socket, 'open')
      expect(codes.map((code) => closing(socket, code, 'a reason'))).toEqual(expected)
      socket.close()
      expect(codes.map((code) => closing(socket, code))).toEqual(expected)
      await next(socket, 'close')
      expect(codes.map((code) => closing(socket, code))).toEqual(expected)
    },
  },
  {
    files: ['Close-Reason-124Bytes'],
    secure: ['Secure-Close-Reason-124Bytes'],
    title: 'a reason of more than 123 bytes of UTF-8 is a SyntaxError',
    run: async (world) => {
      const socket = await world.opened('echo')
      expect(closing(socket, 1000, 'x'.repeat(124))).toBe('SyntaxError')
      expect(closing(socket, 1000, 'é'.repeat(62))).toBe('SyntaxError')
      expect(socket.readyState).toBe(1)
      expect(closing(socket, 1000, 'x'.repeat(123))).toBe('nothing')
      expect(await ended(socket)).toEqual([1000, 'x'.repeat(123), true])
    },
  },
  {
    files: [
      'Close-undefined',
      'Close-1005',
      'Close-1005-verify-code',
      `${CLOSE}/close-basic`,
      `${CLOSE}/close-return`,
    ],
    secure: ['Secure-Close-undefined', 'Secure-Close-1005', 'Secure-Close-1005-verify-code'],
    title: 'without a code, or with undefined, the Close frame has none, and the event has 1005',
    run: async (world) => {
      for (const args of [[], [undefined], [undefined, undefined]]) {
        const socket = await world.opened('echo')
        expect((socket.close as (...args: unknown[]) => unknown).apply(socket, args)).toBeUndefined()
        expect(await ended(socket)).toEqual([1005, '', true])
      }
    },
  },
  {
    files: [
      'Close-1000',
      'Close-1000-reason',
      'Close-1000-verify-code',
      'Close-3000-reason',
      'Close-3000-verify-code',
      'Close-4999-reason',
    ],
    secure: [
      ...[
        'Secure-Close-1000',
        'Secure-Close-1000-reason',
        'Secure-Close-1000-verify-code',
        'Secure-Close-3000-reason',
      ],
      ...['Secure-Close-3000-verify-code', 'Secure-Close-4999-reason'],
    ],
    title: 'code and reason go to the server and come back in the event',
    run: async (world) => {
      for (const [code, reason] of [
        [1000, ''],
        [1000, 'Clean Close'],
        [3000, 'a reason'],
        [4999, 'ünïcödé'],
      ] as const) {
        const socket = await world.opened('echo')
        socket.close(code, reason)
        expect(await ended(socket)).toEqual([code, reason, true])
      }
    },
  },
  {
    files: ['Close-reason-unpaired-surrogates'],
    secure: ['Secure-Close-Reason-Unpaired-surrogates'],
    title: 'lone surrogates in a reason become U+FFFD',
    run: async (world) => {
      const socket = await world.opened('echo')
      socket.close(1000, '\uD807')
      expect(await ended(socket)).toEqual([1000, '\uFFFD', true])
    },
  },
  {
    files: [
      'Close-readyState-Closing',
      'Close-readyState-Closed',
      'interfaces/WebSocket/readyState/008',
      'interfaces/WebSocket/readyState/006',
    ],
    secure: ['Secure-Close-readyState-Closing', 'Secure-Close-readyState-Closed'],
    title: 'the state is 2 after close() and 3 in the close event',
    run: async (world) => {
      const socket = await world.opened('echo')
      socket.close()
      expect(socket.readyState).toBe(2)
      const states: number[] = []
      socket.onclose = () => states.push(socket.readyState)
      await next(socket, 'close')
      expect(states).toEqual([3])
    },
  },
  {
    files: ['Close-server-initiated-close', 'closing-handshake/002'],
    secure: ['Secure-Close-server-initiated-close'],
    title: 'a close of the server is answered, and clean',
    run: async (world) => {
      const socket = await world.opened('close-after')
      const types = journalOf(socket)
      socket.send('Goodbye')
      expect(await ended(socket)).toEqual([1000, 'done', true])
      expect(types).toEqual(['close'])
    },
  },
  {
    files: ['closing-handshake/003'],
    title: 'a close of this side is answered, and clean',
    run: async (world) => {
      const socket = await world.opened('slow-close?50')
      const types = journalOf(socket)
      socket.close(1000)
      expect(await ended(socket)).toEqual([1000, '', true])
      expect(types).toEqual(['close'])
    },
  },
  {
    files: ['closing-handshake/004'],
    title: 'what comes after the Close frame is no message',
    run: async (world) => {
      // A Close frame with 1000, then the text "late".
      const socket = await world.opened('raw?880203e881046c617465')
      const types = journalOf(socket)
      socket.send('Goodbye')
      expect(await ended(socket)).toEqual([1000, '', true])
      await sleep(20)
      expect(types).toEqual(['close'])
    },
  },
  {
    files: [...numbered(CLOSE, 1, 6), `${CLOSE}/close-connecting`, `${CLOSE}/close-connecting-async`],
    title: 'close() while connecting gives up: error and close with 1006, not within the call',
    run: async (world) => {
      for (const path of ['silent', 'echo']) {
        const socket = world.connect(path)
        if (path === 'silent') await sleep(20)
        const types = journalOf(socket)
        socket.close()
        expect(socket.readyState).toBe(2)
        expect(types).toEqual([])
        expect(await ended(socket)).toEqual([1006, '', false])
        expect(socket.readyState).toBe(3)
        expect(types).toEqual(['error', 'close'])
      }
    },
  },
  {
    files: [`${CLOSE}/close-multiple`, `${CLOSE}/close-nested`],
    title: 'further calls of close(), also in the close event, do nothing',
    run: async (world) => {
      const socket = await world.opened('echo')
      const types = journalOf(socket)
      socket.onclose = () => {
        expect(socket.readyState).toBe(3)
        socket.close()
        expect(socket.readyState).toBe(3)
      }
      socket.close(3000, 'first')
      socket.close(3001, 'second')
      expect(await ended(socket)).toEqual([3000, 'first', true])
      await sleep(20)
      expect(types).toEqual(['close'])
    },
  },
  {
    files: [`${CLOSE}/close-replace`],
    title: 'the method close can be replaced on an object',
    run: () => {
      const socket = new WebSocket('ws://127.0.0.1:1/')
      Object.assign(socket, { close: 5 })
      expect((socket as unknown as { close: number }).close).toBe(5)
    },
  },
  {
    files: [
      ...numbered('interfaces/CloseEvent', 1, 4),
      ...['clean-close', 'constructor', 'historical'].map((name) => `interfaces/CloseEvent/${name}`),
    ],
    title: 'a CloseEvent is made by its constructor alone, and its attributes are read-only',
    run: async (world) => {
      expect(new CloseEvent('foo')).toMatchObject({
        type: 'foo',
        wasClean: false,
        code: 0,
        reason: '',
        bubbles: false,
      })
      const init = { bubbles: true, cancelable: true, wasClean: true, code: 65_536 + 7, reason: 'x' }
      expect(new CloseEvent('foo', init)).toMatchObject({ ...init, code: 7 })
      expect(nameOfThrown(() => new (CloseEvent as unknown as new () => unknown)())).toBe('TypeError')
      expect('initCloseEvent' in new CloseEvent('foo')).toBe(false)
      const socket = await world.opened('echo')
      socket.close(1000, 'bye')
      const event = await next(socket, 'close')
      expect(event).toBeInstanceOf(CloseEvent)
      expect(nameOfThrown(() => Object.assign(event, { wasClean: false }))).toBe('TypeError')
      expect(event).toMatchObject({
        wasClean: true,
        code: 1000,
        reason: 'bye',
        bubbles: false,
        cancelable: false,
      })
    },
  },
  {
    files: ['Close-delayed'],
    title: 'the close event waits for the answer of the server, and messages before it are dropped',
    run: async (world) => {
      const socket = await world.opened('slow-close?100')
      const at = performance.now()
      socket.close()
      await next(socket, 'close')
      expect(performance.now() - at).toBeGreaterThan(90)
      const busy = await world.opened('many?100')
      const types = journalOf(busy)
      await nextData(busy)
      busy.close()
      await next(busy, 'close')
      expect(types.filter((type) => type === 'message').length).toBe(1)
    },
  },
]
