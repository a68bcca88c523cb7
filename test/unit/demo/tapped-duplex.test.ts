import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { TappedDuplex } from '../../../demo/tapped-duplex.js'

/** Both ends of a TCP connection, one of them tapped. */
async function pair(): Promise<{
  tapped: TappedDuplex
  inner: Socket
  peer: Socket
  seen: { received: string; sent: string }
  server: Server
}> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true })
  const [inner] = (await once(server, 'connection')) as [Socket]
  const seen = { received: '', sent: '' }
  const tapped = new TappedDuplex(inner, {
    received: (bytes) => (seen.received += Buffer.from(bytes).toString('latin1')),
    sent: (bytes) => (seen.sent += Buffer.from(bytes).toString('latin1')),
  })
  return { tapped, inner, peer, seen, server }
}

describe('a stream that shows what passes through it', () => {
  let ends: Awaited<ReturnType<typeof pair>>
  beforeEach(async () => {
    ends = await pair()
  })
  afterEach(() => {
    ends.peer.destroy()
    ends.tapped.destroy()
    ends.server.close()
  })

  test('passes bytes in both directions, with those that were put back before', async () => {
    const { tapped, inner, peer, seen } = ends
    inner.unshift(Buffer.from('first '))
    peer.write('second')
    let read = ''
    tapped.on('data', (chunk: Buffer) => (read += chunk.toString()))
    while (read.length < 12) await once(tapped, 'data')
    tapped.cork()
    tapped.write('an')
    tapped.write('swer')
    tapped.uncork()
    peer.setEncoding('latin1')
    let answer = ''
    while (answer.length < 6) answer += String((await once(peer, 'data'))[0])
    expect([read, answer, seen]).toEqual([
      'first second',
      'answer',
      { received: 'first second', sent: 'answer' },
    ])
  })

  test('reads nothing before its reader asks', async () => {
    const { tapped, peer, seen } = ends
    await new Promise<unknown>((resolve) => peer.write('early', resolve))
    await new Promise(setImmediate)
    expect(seen.received).toBe('')
    tapped.resume()
    await once(tapped, 'data')
    expect(seen.received).toBe('early')
  })

  test('is empty again at once while the system takes the written bytes', () => {
    ends.tapped.write('x')
    expect(ends.tapped.writableLength).toBe(0)
  })

  test('holds bytes that the system does not take, and emits drain when there is room', async () => {
    const { tapped, peer } = ends
    const block = Buffer.alloc(1024 * 1024)
    while (tapped.write(block));
    expect(tapped.writableLength).toBeGreaterThan(0)
    peer.resume()
    await once(tapped, 'drain')
    expect(tapped.writableLength).toBe(0)
  })

  test('ends each side by itself', async () => {
    const { tapped, peer } = ends
    peer.end()
    tapped.resume()
    await once(tapped, 'end')
    tapped.end('last words')
    const [words] = (await once(peer, 'data')) as [Buffer]
    await once(peer, 'end')
    expect(words.toString()).toBe('last words')
  })

  test('ends both streams when either ends', async () => {
    const { tapped, inner } = ends
    inner.destroy()
    await once(tapped, 'close')
    const other = await pair()
    other.tapped.destroy()
    await once(other.inner, 'close')
    expect([inner, tapped, other.inner, other.tapped].every(({ destroyed }) => destroyed)).toBe(true)
    other.peer.destroy()
    other.server.close()
  })

  test('reports a reset once, as an error', async () => {
    const { tapped, inner } = ends
    const errors: string[] = []
    tapped.on('error', (error) => errors.push(error.message))
    inner.destroy(new Error('reset'))
    await once(tapped, 'close').catch(() => undefined)
    await new Promise(setImmediate)
    expect(errors).toEqual(['reset'])
  })

  test('tells when a socket inside has connected', async () => {
    const { server } = ends
    const inner = connect({ port: (server.address() as AddressInfo).port })
    const tapped = new TappedDuplex(inner, { received: () => undefined, sent: () => undefined })
    expect([tapped.connecting, tapped.secureConnecting, tapped.encrypted]).toEqual([true, false, false])
    await once(tapped, 'connect')
    expect(tapped.connecting).toBe(false)
    tapped.destroy()
  })

  test('has the address of the stream inside', () => {
    expect(ends.tapped.remoteAddress).toBe(ends.inner.remoteAddress)
  })
})
