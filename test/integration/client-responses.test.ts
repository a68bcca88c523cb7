/** What a client makes of a response that is not a 101: the answer is kept, and nothing is waited for in vain. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, HandshakeError, type ClientSocket, type ConnectOptions } from '../../src/index.js'
import { frame, OP } from '../helpers/frame-builder.js'
import { acceptFor, acceptRaw, RawServer, type RawPeer } from '../helpers/raw-peer.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server of node:http, that knows nothing of upgrades. */
async function serveHttp(listener: RequestListener): Promise<string> {
  const http = createServer({ keepAliveTimeout: 60_000 }, listener)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    http.closeAllConnections()
    http.close()
  })
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`
}

async function serveRaw(serve: (peer: RawPeer) => unknown): Promise<RawServer> {
  const server = await RawServer.start(serve)
  cleanups.push(() => server.close())
  return server
}

/** A server that answers each request with these bytes and keeps the connection open. */
const answering = (response: string): Promise<RawServer> =>
  serveRaw(async (peer) => {
    await peer.readHead()
    peer.write(response)
  })

async function failure(url: string, options: ConnectOptions = {}): Promise<HandshakeError> {
  const outcome: unknown = await connect(url, options).then(
    (socket: ClientSocket) => {
      socket.terminate()
      return new Error('it connected')
    },
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(HandshakeError)
  return outcome as HandshakeError
}

const bodyOf = (error: HandshakeError): string => Buffer.from(error.response?.body ?? []).toString()

describe('HandshakeError.response', () => {
  it('has status, headers as sent and in order, and the body', async () => {
    const { url } = await answering(
      'HTTP/1.1 403 No Way\r\nX-One: 1\r\nset-cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 6\r\n\r\nnever!',
    )
    const error = await failure(url)
    expect(error).toMatchObject({
      code: 'HAWSER_UNEXPECTED_STATUS',
      httpStatus: 403,
      message: `the server did not answer 101: 403 No Way (${url})`,
    })
    expect(error.response).toMatchObject({
      status: 403,
      statusText: 'No Way',
      headers: [
        ['X-One', '1'],
        ['set-cookie', 'a=b'],
        ['set-cookie', 'c=d'],
        ['Content-Length', '6'],
      ],
    })
    expect(bodyOf(error)).toBe('never!')
  })

  it('does not wait for the end of the connection when the response has a Content-Length', async () => {
    const url = await serveHttp((_, response) => {
      response.statusCode = 401
      response.end('who are you?')
    })
    expect(bodyOf(await failure(url))).toBe('who are you?')
  })

  it('does not wait for the end of the connection when the body is chunked, and leaves the framing out', async () => {
    const url = await serveHttp((_, response) => {
      response.statusCode = 503
      response.write('busy, ')
      setTimeout(() => response.end('come back later'), 20)
    })
    const error = await failure(url)
    expect(error.httpStatus).toBe(503)
    expect(bodyOf(error)).toBe('busy, come back later')
  })

  it.each([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'],
    ['205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n'],
  ])('does not wait for a body when there can be none: %s', async (status, response) => {
    const { url } = await answering(response)
    const error = await failure(url)
    expect(error.httpStatus).toBe(Number(status))
    expect(bodyOf(error)).toBe('')
  })

  it('is set when the handshake times out, with the received part of the body', async () => {
    const { url } = await answering('HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\nthe start')
    const error = await failure(url, { handshakeTimeoutMs: 100 })
    expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: 500 })
    expect(bodyOf(error)).toBe('the start')
  })

  it('is set when the connection ends before the body does', async () => {
    const { url } = await serveRaw(async (peer) => {
      await peer.readHead()
      peer.write('HTTP/1.1 502 Bad\r\nContent-Length: 1000\r\n\r\nhalf')
      setTimeout(() => peer.reset(), 20)
    })
    const error = await failure(url)
    expect(error.httpStatus).toBe(502)
    expect(bodyOf(error)).toBe('half')
  })

  it('is not reported when the caller aborts: connect rejects with the reason of the signal', async () => {
    const aborter = new AbortController()
    const { url } = await serveRaw(async (peer) => {
      await peer.readHead()
      peer.write('HTTP/1.1 500 Oops\r\n\r\nendless')
      setTimeout(() => aborter.abort(new Error('enough')), 20)
    })
    await expect(connect(url, { signal: aborter.signal })).rejects.toThrow('enough')
  })

  it.each([
    [
      'cut in the middle of the size',
      ['4', '\r', '\nWiki\r\n', '5\r\npedia\r', '\n0\r\n', '\r\n'],
      'Wikipedia',
    ],
    ['with extensions and trailers', ['4;a=b;c="d"\r\nWiki\r\n0\r\nX: y\r\n\r\n'], 'Wiki'],
    ['with a size in capitals and zeros before it', ['000A\r\n0123456789\r\n00\r\n\r\n'], '0123456789'],
    ['with a malformed size', ['4\r\nWiki\r\nxyz\r\nrest\r\n'], 'Wiki'],
    ['with a size beyond all bounds', ['ffffffffffffffffffff\r\nrest'], ''],
    ['with a size that never ends', [`4\r\nWiki\r\n${'0'.repeat(5000)}`], 'Wiki'],
    ['with a chunk longer than it says', ['2\r\nWiki\r\n0\r\n\r\n'], 'Wi'],
  ])('handles chunks %s', async (_, parts, body) => {
    const { url } = await serveRaw(async (peer) => {
      await peer.readHead()
      peer.write('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n')
      for (const part of parts) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        peer.write(part)
      }
    })
    const error = await failure(url, { handshakeTimeoutMs: 2000 })
    expect(error.httpStatus).toBe(404)
    expect(bodyOf(error)).toBe(body)
  })

  it('keeps 16 KiB of the body at most, in chunks too, and ends the connection', async () => {
    let hungUp: Promise<unknown> = Promise.resolve()
    const { url } = await serveRaw(async (peer) => {
      hungUp = peer.left()
      await peer.readHead()
      peer.write('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n')
      for (let i = 0; i < 100; i++) peer.write('1000\r\n', Buffer.alloc(4096, 'x'), '\r\n')
    })
    expect(bodyOf(await failure(url))).toBe('x'.repeat(16 * 1024))
    await hungUp
  })
})

describe('redirects', () => {
  // security.md: credentials kept across a redirect. None is followed, so none can carry them along.
  it.each([301, 302, 303, 307, 308])('%d is not followed, wherever it leads', async (status) => {
    const reached: string[] = []
    const other = await serveRaw((peer) => reached.push(peer.socket.remoteAddress ?? ''))
    const locations = [
      other.url,
      other.url.replace('ws:', 'http:'),
      `//127.0.0.1:${other.port}/`,
      '/elsewhere',
    ]
    for (const location of locations) {
      const heads: string[] = []
      const { url } = await serveRaw(async (peer) => {
        heads.push((await peer.readHead()).startLine)
        peer.write(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
      })
      const error = await failure(url.replace('//', '//user:secret@'))
      expect(error.httpStatus).toBe(status)
      expect(error.response?.headers).toContainEqual(['Location', location])
      expect(heads).toHaveLength(1)
    }
    expect(reached).toEqual([])
  })
})

describe('a response before the response', () => {
  it('is skipped when it is interim, up to maxHeaderBytes in total', async () => {
    const { url } = await serveRaw(async (peer) => {
      const request = await peer.readHead()
      const key = request.get('sec-websocket-key') ?? ''
      peer.write(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(20),
        `HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
        frame({ opcode: OP.TEXT, payload: 'at last' }),
      )
    })
    const socket = await connect(url)
    expect(await socket.receive()).toBe('at last')
    socket.terminate()
  })

  it.each([
    ['small', 'HTTP/1.1 103 X\r\n\r\n'],
    ['large', `HTTP/1.1 103 X\r\nA: ${'a'.repeat(1000)}\r\n\r\n`],
  ])(
    'counts by its bytes, so that a client gives up on endless %s ones before the timeout',
    async (_, interim) => {
      const { url } = await serveRaw(async (peer) => {
        await peer.readHead()
        const more = (): void => {
          while (!peer.isClosed && peer.socket.write(interim.repeat(100)));
        }
        peer.socket.on('drain', more)
        more()
      })
      const error = await failure(url, { handshakeTimeoutMs: 15_000 })
      expect(error.code).toBe('HAWSER_RESPONSE_TOO_LARGE')
    },
  )
})

describe('an abort by the caller', () => {
  it('in the function for headers, which then throws, rejects with the reason of the signal alone', async () => {
    const { url } = await serveRaw(() => undefined)
    const aborter = new AbortController()
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    const headers = (): never => {
      aborter.abort(new Error('changed my mind'))
      throw new Error('behind it')
    }
    await expect(connect(url, { signal: aborter.signal, headers })).rejects.toThrow('changed my mind')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', onUnhandled)
    expect(unhandled).toEqual([])
  })

  it('at any turn of the handshake rejects with its reason and ends the connection', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const server = await serveRaw((peer) => acceptRaw(peer))
      const aborter = new AbortController()
      const attempt = connect(server.url, { signal: aborter.signal })
      const outcome = attempt.then(
        (socket) => socket,
        (error: unknown) => error,
      )
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      aborter.abort(new Error('enough'))
      const result = await outcome
      if (result instanceof Error) expect(result.message).toBe('enough')
      else (result as ClientSocket).terminate()
      await Promise.all(server.peers.map((peer) => peer.left()))
    }
  })
})
