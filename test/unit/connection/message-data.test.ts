import {
  canBeHeld,
  controlPayload,
  viewBytes,
  type MessageData,
} from '../../../src/connection/message-data.js'
import { hex } from '../../helpers/frame-builder.js'

/** 16 bytes, 0 to 15. */
function source<B extends ArrayBuffer | SharedArrayBuffer>(buffer: B): B {
  new Uint8Array(buffer).set(Array.from({ length: 16 }, (_, i) => i))
  return buffer
}
const BUFFER = source(new ArrayBuffer(16))
const SHARED = source(new SharedArrayBuffer(16))
const ALL = hex('000102030405060708090a0b0c0d0e0f')

/** Every form that bytes have in JavaScript, and the bytes that it stands for. */
const FORMS: readonly (readonly [string, Exclude<MessageData, string>, Buffer])[] = [
  ['Buffer', Buffer.from(BUFFER, 2, 3), hex('020304')],
  ['Uint8Array', new Uint8Array(BUFFER, 1, 4), hex('01020304')],
  ['Int8Array', new Int8Array(BUFFER, 1, 4), hex('01020304')],
  ['Uint8ClampedArray', new Uint8ClampedArray(BUFFER, 1, 4), hex('01020304')],
  ['Int16Array', new Int16Array(BUFFER, 2, 2), hex('02030405')],
  ['Uint16Array', new Uint16Array(BUFFER, 2, 2), hex('02030405')],
  ['Int32Array', new Int32Array(BUFFER, 4, 1), hex('04050607')],
  ['Uint32Array', new Uint32Array(BUFFER, 4, 1), hex('04050607')],
  ['Float32Array', new Float32Array(BUFFER, 4, 1), hex('04050607')],
  ['Float64Array', new Float64Array(BUFFER, 8, 1), hex('08090a0b0c0d0e0f')],
  ['BigInt64Array', new BigInt64Array(BUFFER, 8, 1), hex('08090a0b0c0d0e0f')],
  ['BigUint64Array', new BigUint64Array(BUFFER, 8, 1), hex('08090a0b0c0d0e0f')],
  ['DataView', new DataView(BUFFER, 3, 5), hex('0304050607')],
  ['ArrayBuffer', BUFFER, ALL],
  ['SharedArrayBuffer', SHARED, ALL],
  ['Uint8Array of shared memory', new Uint8Array(SHARED, 14), hex('0e0f')],
  ['DataView of shared memory', new DataView(SHARED, 15), hex('0f')],
  ['an empty Uint8Array', new Uint8Array(0), hex('')],
  ['an empty ArrayBuffer', new ArrayBuffer(0), hex('')],
]

/** What is not bytes, whatever it looks like. */
const WRONG: readonly (readonly [unknown, string])[] = [
  [5, 'not 5'],
  [-0, 'not -0'],
  [NaN, 'not NaN'],
  [10n, 'not a bigint'],
  [true, 'not true'],
  [null, 'not null'],
  [undefined, 'not undefined'],
  [Symbol('x'), 'not a symbol'],
  [() => 'x', 'not a function'],
  [{}, 'not an object'],
  [[1, 2, 3], 'not an array'],
  [{ length: 100 }, 'not an object'],
  [{ byteLength: 100, byteOffset: 0, buffer: BUFFER }, 'not an object'],

  [new String('text'), 'not an object'],
  [new Date(0), 'not an object'],
  [new Map(), 'not an object'],
]

describe('bytes in every JavaScript form', () => {
  test.each(FORMS)('%s is viewed as bytes', (_, data, expected) => {
    const bytes = viewBytes('data', data)
    expect(bytes).toBeInstanceOf(Uint8Array)
    expect(Buffer.from(bytes)).toEqual(expected)
  })

  test('viewBytes makes no copy', () => {
    const data = new Uint8Array(4)
    expect(viewBytes('data', data)).toBe(data)
    expect(viewBytes('data', new DataView(data.buffer)).buffer).toBe(data.buffer)
    expect(viewBytes('data', data.buffer).buffer).toBe(data.buffer)
  })

  test.each(WRONG)('viewBytes refuses %p', (data, said) => {
    const call = (): unknown => viewBytes('data', data as Uint8Array)
    expect(call).toThrow(TypeError)
    expect(call).toThrow(`data must be a string, a Uint8Array, an ArrayBuffer or a view of one, ${said}`)
  })

  test('viewBytes names what makes text of a value', () => {
    const said = 'not an object; sendJson, or JSON.stringify, makes text of a value'
    expect(() => viewBytes('data', { a: 1 } as never)).toThrow(said)
  })

  test.each([5, null, undefined, true, () => 'x'])('viewBytes gives no advice for %p', (data) => {
    expect(() => viewBytes('data', data as never)).toThrow(
      new TypeError(
        `data must be a string, a Uint8Array, an ArrayBuffer or a view of one, not ${typeof data === 'function' ? 'a function' : String(data)}`,
      ),
    )
  })

  test('viewBytes refuses a detached ArrayBuffer', () => {
    const detached = new ArrayBuffer(8)
    const view = new DataView(detached)
    structuredClone(detached, { transfer: [detached] })
    expect(() => viewBytes('data', detached)).toThrow(/detached/)
    expect(() => viewBytes('data', view)).toThrow(/detached/)
  })
})

describe('RFC 6455 5.5: the payload of a control frame', () => {
  test.each(FORMS)('%s is copied into a control payload', (_, data, expected) => {
    const payload = controlPayload('ping data', data)
    expect(payload).toEqual(expected)
    if (payload.length > 0) expect(payload.buffer).not.toBe(viewBytes('data', data).buffer)
  })

  test('text is encoded as UTF-8', () => {
    expect(controlPayload('ping data', '')).toEqual(hex(''))
    expect(controlPayload('ping data', 'a\u20ac\ud800')).toEqual(hex('61 e2 82 ac ef bf bd'))
  })

  test('a control payload has 0 to 125 bytes', () => {
    expect(controlPayload('ping data', 'x'.repeat(125))).toHaveLength(125)
    expect(() => controlPayload('ping data', 'x'.repeat(126))).toThrow(RangeError)
    expect(() => controlPayload('pong data', new Float64Array(16))).toThrow(
      'pong data must have 0 to 125 bytes (RFC 6455 5.5), not 128',
    )
    expect(() => controlPayload('ping data', '\u20ac'.repeat(42))).toThrow(RangeError)
  })

  test.each(WRONG)('controlPayload refuses %p', (data) => {
    expect(() => controlPayload('ping data', data as Uint8Array)).toThrow(TypeError)
    expect(() => controlPayload('ping data', data as Uint8Array)).toThrow(/^ping data must be a string/)
  })
})

describe('bytes that may be held as they are', () => {
  const KIB = 1024

  test('have 16 KiB or more', () => {
    expect(canBeHeld(new Uint8Array(16 * KIB - 1))).toBe(false)
    expect(canBeHeld(new Uint8Array(16 * KIB))).toBe(true)
    expect(canBeHeld(new Uint8Array(0))).toBe(false)
  })

  test('lie in memory of this thread whose length stays', () => {
    expect(canBeHeld(new Uint8Array(new SharedArrayBuffer(16 * KIB)))).toBe(false)
    const resizable = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(16 * KIB, {
      maxByteLength: 32 * KIB,
    })
    expect(canBeHeld(new Uint8Array(resizable))).toBe(false)
  })
})
