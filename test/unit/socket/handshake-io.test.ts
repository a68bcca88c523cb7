/** What reads and writes on a stream before a driver has it: the response's head and body, rejections, a guard between owners. */
import { PassThrough, type Duplex } from 'node:stream'
import { HandshakeError } from '../../../src/errors.js'
import {
  ignoreErrors,
  readBodyStart,
  readResponseHead,
  StreamGuard,
  writeAndEnd,
  type ResponseStart,
} from '../../../src/socket/handshake-io.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

/** Reads a head from a stream in memory. */
function readHead(maxHeaderBytes = 16_384): {
  stream: MemoryDuplex
  results: (ResponseStart | HandshakeError)[]
  stop: () => void
} {
  const stream = new MemoryDuplex()
  const results: (ResponseStart | HandshakeError)[] = []
  const stop = readResponseHead(stream, maxHeaderBytes, (result) => results.push(result))
  return { stream, results, stop }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('readResponseHead', () => {
  it('returns the head, and the bytes after it unchanged', async () => {
    const { stream, results } = readHead()
    stream.deliver(Buffer.from(`${HEAD}frames`))
    await nextTurn()
    expect(results).toHaveLength(1)
    const [{ head, rest }] = results as [ResponseStart]
    expect([head.status, head.statusText, head.headers.get('upgrade')]).toEqual([
      101,
      'Switching Protocols',
      'websocket',
    ])
    expect(textOf(rest)).toBe('frames')
  })

  it('stops reading after the head, and leaves later bytes to the next owner', async () => {
    const { stream, results } = readHead()
    stream.deliver(Buffer.from(HEAD))
    await nextTurn()
    stream.deliver(Buffer.from('later'))
    await nextTurn()
    expect(results).toHaveLength(1)
    expect(stream.listenerCount('data')).toBe(0)
    expect(stream.isPaused()).toBe(true)
    expect(textOf(stream.read() as Buffer)).toBe('later')
  })

  it('reads a head that comes byte by byte', async () => {
    const { stream, results } = readHead()
    for (const byte of Buffer.from(HEAD)) {
      expect(results).toEqual([])
      stream.deliver(Buffer.from([byte]))
      await nextTurn()
    }
    expect((results[0] as ResponseStart).head.status).toBe(101)
  })

  it.each([1, 7, 1_000])('skips interim responses, in chunks of %i bytes', async (size) => {
    const { stream, results } = readHead()
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
    const bytes = Buffer.from(`${interim}${HEAD}rest`)
    for (let at = 0; at < bytes.length && results.length === 0; at += size) {
      stream.deliver(bytes.subarray(at, at + size))
      await nextTurn()
    }
    expect((results[0] as ResponseStart).head.status).toBe(101)
  })

  it.each<readonly [name: string, bytes: string, code: string]>([
    ['what is no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'HAWSER_MALFORMED_RESPONSE'],
    ['a field that is none', 'HTTP/1.1 101 \r\nfield\r\n\r\n', 'HAWSER_MALFORMED_RESPONSE'],
    ['a head above the bound', `HTTP/1.1 101 \r\nA: ${'x'.repeat(1_000)}`, 'HAWSER_RESPONSE_TOO_LARGE'],
    ['interim heads above the bound', 'HTTP/1.1 100 \r\n\r\n'.repeat(100), 'HAWSER_RESPONSE_TOO_LARGE'],
  ])('reports an error once, and stops: %s', async (_, bytes, code) => {
    const { stream, results } = readHead(500)
    stream.deliver(Buffer.from(bytes))
    stream.deliver(Buffer.from(bytes))
    await nextTurn()
    expect(results.map((result) => (result as { code?: string }).code)).toEqual([code])
    expect(results[0]).toBeInstanceOf(HandshakeError)
    expect(stream.listenerCount('data')).toBe(0)
  })

  it.each([1, 17, 1_000])('counts interim responses up to the bound, in chunks of %i bytes', async (size) => {
    // 17 bytes each. After 25 of them 75 bytes are left of the bound, and after one more too few for any head.
    const interim = 'HTTP/1.1 100 \r\n\r\n'
    for (const count of [25, 26]) {
      const { stream, results } = readHead(500)
      const bytes = Buffer.from(interim.repeat(count))
      for (let at = 0; at < bytes.length; at += size) stream.deliver(bytes.subarray(at, at + size))
      await nextTurn()
      expect(results).toHaveLength(count - 25)
      if (count === 26)
        expect((results[0] as HandshakeError).message).toContain('interim responses count as well')
      else stream.deliver(Buffer.from(HEAD))
      await nextTurn()
      expect(results).toHaveLength(1)
    }
  })

  it('leaves 64 bytes of the bound for a head, and no less', async () => {
    const interim = 'HTTP/1.1 100 \r\n\r\n'
    for (const [bound, status] of [
      [17 + 64, 101],
      [17 + 63, undefined],
    ] as const) {
      const { stream, results } = readHead(bound)
      stream.deliver(Buffer.from(`${interim}${HEAD}`))
      await nextTurn()
      expect((results[0] as Partial<ResponseStart>).head?.status).toBe(status)
    }
  })

  it('bounds the head after interim responses by what is left', async () => {
    const { stream, results } = readHead(500)
    const field = (length: number): string => `A: ${'x'.repeat(length)}\r\n`
    stream.deliver(Buffer.from(`HTTP/1.1 103 \r\n${field(300)}\r\nHTTP/1.1 101 \r\n${field(200)}\r\n`))
    await nextTurn()
    expect(results[0]).toMatchObject({ code: 'HAWSER_RESPONSE_TOO_LARGE' })
  })

  it('reports nothing after it was stopped', async () => {
    const { stream, results, stop } = readHead()
    stream.deliver(Buffer.from(HEAD.slice(0, 20)))
    await nextTurn()
    stop()
    stream.deliver(Buffer.from(HEAD.slice(20)))
    await nextTurn()
    expect(results).toEqual([])
    expect(stream.listenerCount('data')).toBe(0)
  })
})

describe('readBodyStart', () => {
  /** Reads the head, then the body: `done` is told the body. */
  async function readBody(
    first: string,
  ): Promise<{ stream: MemoryDuplex; bodies: string[]; finish: () => void }> {
    const { stream, results } = readHead()
    stream.deliver(Buffer.from(first))
    await nextTurn()
    const bodies: string[] = []
    const finish = readBodyStart(stream, results[0] as ResponseStart, (body) => bodies.push(textOf(body)))
    return { stream, bodies, finish }
  }

  it('returns at once a body that arrived with its head', async () => {
    const { bodies } = await readBody('HTTP/1.1 404 \r\nContent-Length: 5\r\n\r\nhello and more')
    expect(bodies).toEqual(['hello'])
  })

  it('waits for the rest of the announced length, and then removes its listeners', async () => {
    const { bodies, stream } = await readBody('HTTP/1.1 404 \r\nContent-Length: 10\r\n\r\nhello')
    expect(bodies).toEqual([])
    stream.deliver(Buffer.from('hello'))
    await nextTurn()
    expect(bodies).toEqual(['hellohello'])
    expect(['data', 'end'].map((event) => stream.listenerCount(event))).toEqual([0, 0])
    stream.destroy()
    await nextTurn()
    expect(bodies).toEqual(['hellohello'])
  })

  it('decodes chunks', async () => {
    const { bodies, stream } = await readBody('HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel')
    stream.deliver(Buffer.from('lo\r\n2;x=y\r\n, \r\n0\r\n\r\n'))
    await nextTurn()
    expect(bodies).toEqual(['hello, '])
  })

  it.each<readonly [name: string, end: (stream: Duplex) => unknown]>([
    ['the peer ends', (stream) => stream.push(null)],
    ['the stream is lost', (stream) => stream.destroy()],
  ])('returns the received part when %s before the length is reached', async (_, end) => {
    const { bodies, stream } = await readBody('HTTP/1.1 404 \r\nContent-Length: 10\r\n\r\nhello')
    end(stream)
    await nextTurn()
    await nextTurn()
    expect(bodies).toEqual(['hello'])
  })

  it('returns the received part when its caller ends it, once', async () => {
    const { bodies, stream, finish } = await readBody('HTTP/1.1 404 \r\n\r\npart')
    finish()
    stream.deliver(Buffer.from('more'))
    await nextTurn()
    expect(bodies).toEqual(['part'])
  })

  it('returns no body for 204 and 304', async () => {
    for (const status of [204, 304]) {
      const { bodies } = await readBody(`HTTP/1.1 ${status} \r\nContent-Length: 5\r\n\r\nhello`)
      expect(bodies).toEqual([''])
    }
  })

  it('keeps 16 KiB of a body that does not end', async () => {
    const { bodies, stream } = await readBody('HTTP/1.1 404 \r\n\r\n')
    for (let i = 0; i < 20; i++) stream.deliver(Buffer.alloc(1_000, 'x'))
    await nextTurn()
    expect(bodies.map(({ length }) => length)).toEqual([16 * 1024])
  })
})

describe('writeAndEnd', () => {
  it('writes, ends its side, and discards further input', async () => {
    const stream = new MemoryDuplex()
    writeAndEnd(stream, Buffer.from('rejected'))
    stream.deliver(Buffer.from('a body that nobody reads'))
    await nextTurn()
    expect(textOf(stream.written)).toBe('rejected')
    expect(stream.writableEnded).toBe(true)
    expect(stream.readableFlowing).toBe(true)
    expect(stream.readableLength).toBe(0)
    stream.destroy()
  })

  it('does nothing on a stream that is destroyed', () => {
    const stream = new MemoryDuplex()
    stream.destroy()
    writeAndEnd(stream, Buffer.from('rejected'))
    expect(stream.writes).toEqual([])
    expect(stream.writableEnded).toBe(false)
  })

  it('ignores an error of the stream', async () => {
    const stream = new MemoryDuplex()
    writeAndEnd(stream, Buffer.from('rejected'))
    stream.destroy(new Error('reset'))
    await nextTurn()
    expect(stream.errored).toMatchObject({ message: 'reset' })
  })
})

describe('ignoreErrors', () => {
  it('adds one listener, however often it is called', async () => {
    const stream = new PassThrough()
    ignoreErrors(stream)
    ignoreErrors(stream)
    expect(stream.listenerCount('error')).toBe(1)
    stream.destroy(new Error('reset'))
    await nextTurn()
    expect(stream.destroyed).toBe(true)
  })
})

describe('StreamGuard', () => {
  it('reports the end of the stream, and handles its errors', async () => {
    const stream = new PassThrough()
    let ends = 0
    const guard = new StreamGuard(stream, () => ends++)
    stream.destroy(new Error('reset'))
    await nextTurn()
    expect(ends).toBe(1)
    guard.release()
  })

  it('leaves no listener after its release, and reports nothing more', async () => {
    const stream = new PassThrough()
    const before = ['error', 'close'].map((event) => stream.listenerCount(event))
    let ends = 0
    const guard = new StreamGuard(stream, () => ends++)
    guard.release()
    expect(['error', 'close'].map((event) => stream.listenerCount(event))).toEqual(before)
    stream.destroy()
    await nextTurn()
    expect(ends).toBe(0)
  })
})
