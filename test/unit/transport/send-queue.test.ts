import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import {
  connect,
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { HandleTransport, transportOver } from '../../../src/transport/handle-transport.js'
import { queueKey, queuedBytes, type Endpoint } from '../../../src/transport/send-queue.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { MemoryDuplex } from '../../helpers/memory-duplex.js'
import { isNativeOn } from '../../../src/native/native-switch.js'

const SYSTEM_TELLS = existsSync('/proc/net/tcp')
/** Between two questions. */
const ASK_EVERY_MS = 60

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** Two ends of a connection; neither reads. */
async function pair(
  listen: ListenOptions,
  host?: string,
): Promise<readonly [accepted: Socket, connected: Socket]> {
  const server: Server = createServer({ pauseOnConnect: true }).listen(listen)
  await once(server, 'listening')
  const options =
    listen.path === undefined
      ? { host: host as string, port: (server.address() as AddressInfo).port }
      : { path: listen.path }
  const connected = connect(options)
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(connected, 'connect')])) as [
    [Socket],
    unknown,
  ]
  for (const socket of [accepted, connected]) socket.on('error', () => undefined)
  cleanups.push(() => {
    accepted.destroy()
    connected.destroy()
    server.close()
  })
  return [accepted, connected]
}

/** @param maxAgeMs how old the answer may be */
type Ask = (maxAgeMs: number) => number | 'asking' | null

/** Asks until there is an answer: a long table is read in turns. */
async function answerOf(ask: Ask): Promise<number | null> {
  const askedAt = performance.now()
  for (;;) {
    const answer = ask(performance.now() - askedAt)
    if (answer !== 'asking') return answer
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Asks until the answer is as wanted; else the last one is what the test shows. */
async function askUntil(ask: Ask, isWanted: (answer: number) => boolean): Promise<number | null> {
  let answer = await answerOf(ask)
  for (let i = 0; i < 40 && SYSTEM_TELLS && (answer === null || !isWanted(answer)); i++) {
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
    answer = await answerOf(ask)
  }
  return answer
}

const LISTENERS = [
  ['IPv4', { host: '127.0.0.1' }, '127.0.0.1'],
  ['IPv6', { host: '::1' }, '::1'],
  ['an IPv4 peer of a dual-stack listener', { host: '::' }, '127.0.0.1'],
] as const

describe.each(LISTENERS)('are written as the system writes them: %s', (_, listen, host) => {
  it.each(isNativeOn ? ['by the handle', 'by the stream'] : ['by the stream'])(
    'sent bytes are not acknowledged until the peer reads them: %s',
    async (way) => {
      const [accepted, connected] = await pair({ ...listen, port: 0 }, host)
      const transport = transportOver(accepted, way === 'by the handle')
      expect(transport).toBeInstanceOf(way === 'by the handle' ? HandleTransport : StreamTransport)
      transport.setOwner({
        receive: () => undefined,
        receiveEnd: () => undefined,
        transportLost: () => undefined,
        unblock: () => undefined,
      })
      const ask: Ask = (maxAgeMs) => transport.queuedBytes(maxAgeMs)
      expect(await askUntil(ask, (answer) => answer === 0)).toBe(SYSTEM_TELLS ? 0 : null)
      transport.write(Buffer.alloc(16 * 1024 * 1024))
      const queued = await askUntil(ask, (answer) => answer > 64 * 1024)
      if (SYSTEM_TELLS) {
        expect(queued).toBeGreaterThan(64 * 1024)
        expect(queued).toBeLessThan(16 * 1024 * 1024)
      } else {
        expect(queued).toBeNull()
      }
      if (SYSTEM_TELLS) {
        // Both systems take some time to be full.
        let rest = 0
        await askUntil(ask, (answer) => answer === rest || ((rest = answer), false))
        connected.once('readable', () => connected.read())
        expect(await askUntil(ask, (answer) => answer < rest)).toBeLessThan(rest)
      }
      connected.resume()
      expect(await askUntil(ask, (answer) => answer === 0)).toBe(SYSTEM_TELLS ? 0 : null)
      transport.destroy()
      expect(ask(0)).toBeNull()
    },
  )
})

describe('the number of unacknowledged bytes is unknown', () => {
  it.each([true, false])('for a Unix socket, with directIo %s', async (directIo) => {
    const [accepted] = await pair({
      path: path.join(tmpdir(), `hawser-send-queue-${String(process.pid)}.sock`),
    })
    const transport = transportOver(accepted, directIo)
    transport.write(Buffer.alloc(16 * 1024))
    expect(transport.queuedBytes()).toBeNull()
    transport.destroy()
  })

  it('for a stream that is not a socket', () => {
    const one = new MemoryDuplex()
    expect(new StreamTransport(one).queuedBytes()).toBeNull()
  })

  it('for a connection that is not in the table', () => {
    const key = queueKey({ address: '192.0.2.1', port: 1 }, { address: '192.0.2.2', port: 2 })
    expect(key).not.toBeNull()
    return expect(answerOf((maxAgeMs) => queuedBytes(key!, maxAgeMs))).resolves.toBeNull()
  })

  it('for a row after the first 8 MiB of a table', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'hawser-send-queue-'))
    try {
      const file = path.join(directory, 'tcp')
      const line = (i: number): string =>
        `${String(i).padStart(4)}: 0100007F:0001 ${i.toString(16).toUpperCase().padStart(8, '0')}:0002 01 0001E240:00000000 00:0\n`
      const lines = Array.from({ length: 140_000 }, (_, i) => line(i))
      const read = Math.floor((8 * 1024 * 1024) / line(10_000).length)
      await writeFile(file, lines.join(''))
      const ask = (i: number, maxAgeMs = Infinity): number | 'asking' | null =>
        queuedBytes(
          {
            own: { file, ends: (lines[i] as string).trim().split(' ').slice(1, 3).join(' ') },
            peer: [],
          },
          maxAgeMs,
        )
      // It is read in parts of 128 KiB, each in a turn of its own.
      let turns = 0
      while (ask(0) === 'asking') {
        await new Promise((resolve) => setImmediate(resolve))
        turns++
      }
      expect(turns).toBeGreaterThan(50)
      expect([0, 1, 9_999, 10_000, read - 1_000].map((i) => ask(i))).toEqual(new Array(5).fill(123_456))
      expect([read + 1_000, 139_999].map((i) => ask(i))).toEqual([null, null])
      // A long table is not read again so soon.
      expect([ask(0, 0), ask(0)]).toEqual(['asking', 123_456])
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('when the file does not exist', () => {
    expect(queuedBytes({ own: { file: path.join(__dirname, 'not-there'), ends: '' }, peer: [] })).toBeNull()
  })

  it('when the file cannot be read', () => {
    expect(queuedBytes({ own: { file: __dirname, ends: '' }, peer: [] })).toBeNull()
  })
})

describe('the addresses in the table of the system', () => {
  const PEER: Endpoint = { address: '127.0.0.1', port: 1 }
  const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
  const words = (text: string): string =>
    isLittleEndian ? text : text.replace(/(..)(..)(..)(..)/g, '$4$3$2$1')

  it.each([
    ['192.0.2.17', '110200C0'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000001000000'],
    ['::ffff:127.0.0.1', '0000000000000000FFFF00000100007F'],
    ['::FFFF:7f00:1', '0000000000000000FFFF00000100007F'],
    ['2001:db8::8:800:200c:417a', 'B80D012000000000000808007A410C20'],
    ['1:2:3:4:5:6:7:8', '02000100040003000600050008000700'],
    ['fe80::1%eth0', '000080FE000000000000000001000000'],
  ])('are written as the system writes them: %s', (address, shown) => {
    const end = { address, port: 0xa15f }
    const key = queueKey(end, end)
    expect(key?.own).toEqual({
      file: address.includes(':') ? '/proc/net/tcp6' : '/proc/net/tcp',
      ends: `${words(shown)}:A15F ${words(shown)}:A15F`,
    })
    expect(key?.peer[0]).toEqual(key?.own)
  })

  it.each([
    '',
    'localhost',
    '1.2.3',
    '1.2.3.256',
    '1:2:3',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    ':::',
    'g::1',
    '::1.2.3',
    '/tmp/a.sock',
  ])('are not made of "%s"', (address) => {
    expect(queueKey({ address, port: 1 }, { address, port: 1 })).toBeNull()
  })

  it.each([
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
  ])('are also looked for in the other table for a peer on this machine: %s', (address, other) => {
    const key = queueKey({ address, port: 1 }, { address, port: 2 })
    const ofPeer = [address, other].map(
      (one) => queueKey({ address: one, port: 2 }, { address: one, port: 1 })?.own,
    )
    expect(key?.peer).toEqual(ofPeer)
  })

  it('are not looked for when the peer is on another machine', () => {
    expect(queueKey(PEER, { address: '192.0.2.1', port: 2 })?.peer).toEqual([])
  })

  it('are not those of one connection when they are of two kinds', () => {
    expect(queueKey(PEER, { address: '::1', port: 1 })).toBeNull()
  })
})
