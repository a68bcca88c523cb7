import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { DeflateRaw, InflateRaw, ZlibOptions } from 'node:zlib'
import { InvalidStateError } from '../../../src/errors.js'
import { isNativeOn } from '../../../src/native/native-switch.js'
import { canUseZlibHandles, zlibHandlesWork, ZlibHandle } from '../../../src/native/zlib-handle.js'

interface Internals {
  _processChunk: (chunk: Uint8Array, flush: number) => Uint8Array
  _handle: Record<string, unknown>
  _writeState: Uint32Array
}

/** How a later Node might differ, one thing at a time. */
function nodeWith(change: {
  /** The stream on which Node itself is watched. */
  watched?: (internals: Internals) => void
  deflate?: (internals: Internals) => void
  inflate?: (internals: Internals) => void
}) {
  const made: (DeflateRaw | InflateRaw)[] = []
  const apply = <Stream extends DeflateRaw | InflateRaw>(
    stream: Stream,
    by?: (internals: Internals) => void,
  ): Stream => {
    by?.(stream as unknown as Internals)
    made.push(stream)
    return stream
  }
  return {
    made,
    createDeflateRaw: (options: ZlibOptions) =>
      apply(createDeflateRaw(options), made.length === 0 ? change.watched : change.deflate),
    createInflateRaw: (options: ZlibOptions) => apply(createInflateRaw(options), change.inflate),
  }
}

/** Replaces the handle by one whose `writeSync` is led astray. */
function writing(
  astray: (write: (...args: unknown[]) => void, args: unknown[], handle: Internals['_handle']) => void,
) {
  return (internals: Internals): void => {
    const handle = internals._handle
    const write = (handle['writeSync'] as (...args: unknown[]) => void).bind(handle)
    handle['writeSync'] = (...args: unknown[]) => astray(write, args, handle)
  }
}

describe('handles of zlib are tried out before they are trusted', () => {
  test('and work in this Node', () => {
    expect(zlibHandlesWork()).toBe(true)
  })

  test('and are used if and only if src/native is on', () => {
    expect(canUseZlibHandles()).toBe(isNativeOn)
  })

  test('on streams that are closed afterwards', () => {
    const streams = nodeWith({})
    expect(zlibHandlesWork(streams)).toBe(true)
    expect(streams.made.map(({ destroyed }) => destroyed)).toEqual([true, true, true])
  })

  test.each<[string, Parameters<typeof nodeWith>[0]]>([
    ['there is no _handle', { watched: (internals) => Object.assign(internals, { _handle: undefined }) }],
    [
      'there is no _writeState',
      { inflate: (internals) => Object.assign(internals, { _writeState: undefined }) },
    ],
    [
      'there is no writeSync',
      { watched: (internals) => Object.assign(internals._handle, { writeSync: undefined }) },
    ],
    [
      'writeSync takes other arguments',
      {
        watched: (internals) => {
          internals._handle['writeSync'] = () => {}
          internals._processChunk = (chunk, flush) => {
            ;(internals._handle['writeSync'] as (...args: unknown[]) => void)(chunk, flush)
            return Buffer.from('Hello')
          }
        },
      },
    ],
    [
      'there is no _processChunk',
      { watched: (internals) => Object.assign(internals, { _processChunk: undefined }) },
    ],
    [
      '_processChunk calls something else',
      { watched: (internals) => Object.assign(internals, { _processChunk: () => Buffer.of(1) }) },
    ],
    ['writeSync does nothing', { deflate: writing(() => {}) }],
    [
      'the context is not kept',
      {
        deflate: writing((write, args, handle) => {
          ;(handle['reset'] as () => void)()
          write(...args)
        }),
      },
    ],
    [
      'the context is not dropped',
      { deflate: (internals) => Object.assign(internals._handle, { reset: () => {} }) },
    ],
    ['inflate does nothing', { inflate: writing(() => {}) }],
    [
      'inflate does not stop where it is told to',
      { inflate: writing((write, args) => write(args[0] === 5 ? 2 : args[0], ...args.slice(1))) },
    ],
    [
      'errors are not noted',
      {
        inflate: (internals) =>
          Object.defineProperty(internals._handle, 'onerror', { value: () => {}, writable: false }),
      },
    ],
    [
      'errors go elsewhere',
      {
        inflate: writing((write, args, handle) => {
          const note = handle['onerror']
          handle['onerror'] = () => {}
          write(...args)
          handle['onerror'] = note
        }),
      },
    ],
  ])('and not used when %s', (_name, change) => {
    expect(zlibHandlesWork(nodeWith(change))).toBe(false)
  })
})

describe('a handle of zlib', () => {
  test('that is closed throws, where zlib itself would end the process', () => {
    const handle = new ZlibHandle(createDeflateRaw())
    handle.close()
    handle.close()
    expect(() => handle.write(2, Buffer.of(1), 0, 1, Buffer.alloc(64), 0, 64)).toThrow(InvalidStateError)
    expect(() => handle.reset()).toThrow('this zlib handle is closed')
  })

  test('reports an error, and can be used again after a reset', () => {
    const handle = new ZlibHandle(createInflateRaw())
    const output = Buffer.alloc(64)
    const told: string[] = []
    handle.onFailure = (error) => told.push(error)
    handle.write(2, Buffer.of(0xff), 0, 1, output, 0, 64)
    expect([handle.error, told]).toEqual(['invalid block type', ['invalid block type']])
    handle.reset()
    expect(handle.error).toBeNull()
    handle.write(2, Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), 0, 7, output, 0, 64)
    expect([handle.error, handle.inputLeft, handle.outputLeft, output.toString('latin1', 0, 5)]).toEqual([
      null,
      0,
      59,
      'Hello',
    ])
    handle.close()
  })

  test('does not end the process by an error that its stream emits', async () => {
    const handle = new ZlibHandle(createInflateRaw())
    handle.stream.destroy(new Error('lost'))
    await new Promise((resolve) => handle.stream.once('close', resolve))
    expect(handle.stream.destroyed).toBe(true)
  })
})
