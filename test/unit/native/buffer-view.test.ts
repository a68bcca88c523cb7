import type * as BufferView from '../../../src/native/buffer-view.js'
import { bufferViewWorks } from '../../../src/native/buffer-view.js'
import { loadNative } from '../../helpers/load-native.js'

describe.each(['on', 'off'] as const)('a view of memory as a Buffer, HAWSER_NATIVE=%s', (value) => {
  const { viewMemory } = loadNative<typeof BufferView>(value, 'buffer-view')

  test('shares the memory, and is a Buffer', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4)
    const view = viewMemory(bytes.buffer, 1, 2)
    bytes[1] = 9
    expect(Buffer.isBuffer(view)).toBe(true)
    expect(view).toEqual(Buffer.of(9, 3))
  })

  test('may be empty, also at the end of the memory', () => {
    expect(viewMemory(new ArrayBuffer(4), 4, 0)).toEqual(Buffer.alloc(0))
  })
})

test('the class that makes Buffers is used if what it makes are Buffers of the memory that was asked for', () => {
  const found = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species]
  const copies = function (memory: ArrayBuffer, at: number, length: number) {
    return Buffer.from(Buffer.from(memory, at, length))
  }
  const wholes = function (memory: ArrayBuffer) {
    return Buffer.from(memory)
  }
  expect(bufferViewWorks(found)).toBe(true)
  for (const other of [undefined, Uint8Array, copies, wholes]) expect(bufferViewWorks(other)).toBe(false)
})
