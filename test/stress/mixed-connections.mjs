/**
 * HTTP requests and upgrades, mixed, pipelined and cut at random, against a server that shares its port, with handlers
 * that answer late, stream, destroy, never answer and throw. The server has a process of its own, which has to live.
 *
 * node test/stress/mixed-connections.mjs [COUNT] [SEED] [ENGINE]
 *
 * COUNT of connections, default 50,000; SEED of the random choices, default chosen and printed; ENGINE: the module to
 * try, default that of `npm run build`. Clients speak TCP to 127.0.0.1. Ends with status 1 and says why if the process
 * of the server ended or wrote to stderr, if a connection that was not cut got another answer than it should have, or
 * if the server still counts connections when all are gone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const HANDSHAKE_TIMEOUT_MS = 1_500
const CLIENTS_AT_ONCE = 64
/** So long a connection may take, before it counts as stuck. */
const CONNECTION_TIMEOUT_MS = 20_000

// The server.

/** What a plain request is answered with, by its path: `/KIND/ID`. */
async function answer(request, response) {
  const [, kind, id] = (request.url ?? '').split('/')
  const body = `answer ${id}`
  switch (kind) {
    case 'late':
      await sleep(Number(id) % 7)
      break
    case 'stream':
      for (const part of [body.slice(0, 3), body.slice(3)]) {
        response.write(part)
        await sleep(1)
      }
      response.end()
      return
    case 'pipe':
      Readable.from([body, ...Array.from({ length: 40 }, () => 'z'.repeat(4_096))]).pipe(response)
      return
    case 'post': {
      let length = 0
      for await (const chunk of request) length += chunk.length
      response.end(`${body} ${length}`)
      return
    }
    case 'destroy':
      await sleep(Number(id) % 3)
      response.destroy(new Error('destroyed'))
      return
    case 'cut':
      response.write(body)
      await sleep(1)
      request.socket.destroy()
      return
    case 'throw':
      await sleep(1)
      throw new Error('thrown')
    case 'never':
      return
    default:
  }
  response.end(body)
}

async function serve(engine) {
  const { accept, reject, WebSocketServer } = await import(engine)
  const counts = []
  const shares = []
  for (const way of ['attach', 'attach by stream', 'by hand']) {
    const http = createServer((request, response) => {
      // As frameworks do it: what a handler throws is a 500, or the end of an answer that began.
      answer(request, response).catch(() => {
        if (response.headersSent) response.destroy()
        else response.writeHead(500).end('failed')
      })
    })
    const server = new WebSocketServer({
      directIo: way !== 'attach by stream',
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      closeTimeoutMs: 500,
      onError: () => undefined,
    })
    server.route('/echo', { onMessage: (_, message) => message })
    server.route('/wait', {
      onUpgrade: async () => {
        await sleep(3)
        return accept()
      },
      onMessage: async (_, message) => message,
    })
    server.route('/no', { onUpgrade: () => reject(403, 'no') })
    server.route('/fail', {
      onUpgrade: () => {
        throw new Error('in onUpgrade')
      },
    })
    server.route('/broken', {
      onMessage: () => {
        throw new Error('in onMessage')
      },
    })
    if (way === 'by hand')
      http.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head))
    else server.attach(http)
    await once(http.listen(0, '127.0.0.1'), 'listening')
    counts.push(() => server.connectionCount)
    shares.push(http.address().port)
  }
  console.log(`ports ${shares.join(' ')}`)
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'count') console.log(`count ${counts.reduce((sum, count) => sum + count(), 0)}`)
    else break
  }
  process.exit(0)
}

// The clients.

/** Mulberry32: a small generator of random numbers from 0 to below 1. */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const UPGRADE_STATUS = { echo: 101, wait: 101, broken: 101, no: 403, fail: 500, nowhere: 404, old: 426 }

const upgradeHead = (kind) =>
  `GET /${kind === 'old' ? 'echo' : kind} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: ${kind === 'old' ? 8 : 13}\r\n\r\n`

/** A text frame of a client; the masking key is 0. */
const textFrame = (payload) =>
  Buffer.concat([Buffer.of(0x81, 0x80 | payload.length, 0, 0, 0, 0), Buffer.from(payload)])

/** What one connection sends, and the answers that it has to get if it is not cut. */
function plan(random, number) {
  const pick = (list) => list[Math.floor(random() * list.length)]
  const parts = []
  const answers = []
  let isWhole = true
  for (let i = Math.floor(random() * 4); i > 0 && isWhole; i--) {
    const id = `${number}${i}`
    const kind =
      random() < 0.004
        ? 'never'
        : pick(['now', 'late', 'late', 'stream', 'pipe', 'post', 'head', 'throw', 'destroy', 'cut'])
    if (kind === 'post') {
      parts.push(Buffer.from(`POST /post/${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nsome body`))
      answers.push({ status: 200, body: `answer ${id} 9` })
      continue
    }
    const method = kind === 'head' ? 'HEAD' : 'GET'
    parts.push(Buffer.from(`${method} /${kind}/${id} HTTP/1.1\r\nHost: x\r\n\r\n`))
    if (kind === 'throw') answers.push({ status: 500, body: 'failed' })
    else if (kind === 'head') answers.push({ status: 200, body: null })
    else answers.push({ status: 200, body: `answer ${id}` })
    // Behind an answer that is destroyed nothing can be expected.
    if (kind === 'destroy' || kind === 'cut' || kind === 'never') isWhole = false
  }
  let frames = 0
  if (random() < 0.85) {
    const kind = pick(['echo', 'echo', 'echo', 'wait', 'broken', 'no', 'fail', 'nowhere', 'old'])
    parts.push(Buffer.from(upgradeHead(kind)))
    answers.push({ status: UPGRADE_STATUS[kind], body: null, isUpgrade: true })
    if (UPGRADE_STATUS[kind] === 101) {
      const count = Math.floor(random() * 3)
      for (let i = 0; i < count; i++) parts.push(textFrame(`frame ${i}`))
      frames = kind === 'broken' ? 0 : count
    }
  }
  const bytes = Buffer.concat(parts)
  // A third is cut somewhere: by a FIN, a RST, or by no longer reading before a RST.
  const cut = random() < 0.33 ? pick(['end', 'reset', 'reset', 'deaf']) : null
  const length = cut === null ? bytes.length : Math.floor(random() * (bytes.length + 1))
  const places = Array.from({ length: Math.floor(random() * 5) }, () => Math.floor(random() * length))
  places.sort((a, b) => a - b)
  const segments = [...places, length].map((end, i) => bytes.subarray(i === 0 ? 0 : places[i - 1], end))
  return { segments, cut, answers: isWhole && cut === null ? answers : null, frames, random }
}

/** Reads responses as they come, and then frames. */
class Reader {
  constructor(answers, frames) {
    this.bytes = Buffer.alloc(0)
    this.answers = [...answers]
    this.frames = frames
    this.wasUpgraded = false
  }

  push(chunk) {
    this.bytes = Buffer.concat([this.bytes, chunk])
    while (this.step());
  }

  get isDone() {
    return this.answers.length === 0 && (!this.wasUpgraded || this.frames === 0)
  }

  step() {
    if (this.answers.length === 0) return this.wasUpgraded && this.frame()
    const end = this.bytes.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = this.bytes.toString('latin1', 0, end)
    const [wanted] = this.answers
    const status = Number(/^HTTP\/1\.1 (\d+) /.exec(head)?.[1])
    if (status !== wanted.status) throw new Error(`${wanted.status} was due, and ${head.slice(0, 60)} came`)
    let rest = this.bytes.subarray(end + 4)
    if (status !== 101 && !(wanted.body === null && wanted.isUpgrade !== true)) {
      const length = /^content-length: (\d+)/im.exec(head)?.[1]
      const body =
        length === undefined
          ? unchunk(rest)
          : rest.length < Number(length)
            ? null
            : [rest.subarray(0, Number(length)), rest.subarray(Number(length))]
      if (body === null) return false
      if (wanted.body !== null && !body[0].toString('latin1').startsWith(wanted.body))
        throw new Error(`${wanted.body} was due, and ${body[0].toString('latin1', 0, 40)} came`)
      rest = body[1]
    }
    this.bytes = rest
    this.answers.shift()
    this.wasUpgraded = status === 101
    return true
  }

  frame() {
    if (this.frames === 0 || this.bytes.length < 9) return false
    const text = this.bytes.toString('latin1', 2, 9)
    if (this.bytes[0] !== 0x81 || !/^frame \d$/.test(text))
      throw new Error(`no frame: ${this.bytes.toString('latin1', 0, 60)}`)
    this.bytes = this.bytes.subarray(9)
    this.frames--
    return true
  }
}

/** @returns body and rest, or null while it is not whole */
function unchunk(bytes) {
  const parts = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return null
    const length = parseInt(bytes.toString('latin1', at, end), 16)
    if (Number.isNaN(length)) throw new Error(`no chunk: ${bytes.toString('latin1', at, at + 40)}`)
    if (bytes.length < end + 2 + length + 2) return null
    parts.push(bytes.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
    if (length === 0) return [Buffer.concat(parts), bytes.subarray(at)]
  }
}

/** One connection. Throws if it was not cut, and did not get what it should have. */
async function run(port, { segments, cut, answers, frames, random }) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const reader = answers === null ? null : new Reader(answers, frames)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  let failure = null
  let isConnected = false
  socket.on('error', (error) => {
    if (!isConnected) failure ??= error
  })
  const read = new Promise((resolve) => {
    socket.on('data', (chunk) => {
      try {
        reader?.push(chunk)
      } catch (error) {
        failure ??= error
      }
      if (reader?.isDone === true || failure !== null) resolve()
    })
    socket.once('close', resolve)
    if (reader?.isDone === true) resolve()
  })
  await Promise.race([once(socket, 'connect'), closed]).catch(() => undefined)
  isConnected = true
  if (cut === 'deaf') socket.pause()
  for (const segment of segments) {
    if (socket.destroyed) break
    socket.write(segment)
    if (random() < 0.5) await sleep(random() * 4)
    else await new Promise((resolve) => setImmediate(resolve))
  }
  const timeout = new Promise((_, reject) => {
    setTimeout(reject, CONNECTION_TIMEOUT_MS, new Error('stuck')).unref()
  })
  try {
    if (cut === 'end') socket.end()
    else if (cut !== null) socket.resetAndDestroy()
    else if (reader !== null) {
      await Promise.race([read, timeout])
      if (failure === null && !reader.isDone)
        failure = new Error(`over before ${JSON.stringify(reader.answers)}`)
      if (random() < 0.5) socket.end()
      socket.destroy()
    } else await Promise.race([closed, sleep(HANDSHAKE_TIMEOUT_MS / 10)])
  } finally {
    if (cut !== 'end') socket.destroy()
    else setTimeout(() => socket.destroy(), 50)
  }
  await Promise.race([closed, timeout])
  if (failure !== null) throw failure
}

async function main([
  countText = '50000',
  seedText,
  engine = new URL('../../dist/esm/index.js', import.meta.url).href,
]) {
  const count = Number(countText)
  const seed = seedText === undefined ? Math.floor(Math.random() * 0xffff_ffff) : Number(seedText)
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`COUNT must be an integer from 1 up, not ${countText}`)
  if (!Number.isInteger(seed)) throw new RangeError(`SEED must be an integer, not ${seedText}`)
  console.log(`count ${count} seed ${seed}`)

  const module = engine.startsWith('file:') ? engine : pathToFileURL(engine).href
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--serve', module], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
  const gone = new Promise((resolve) => child.once('close', (status, signal) => resolve(signal ?? status)))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => (await lines.next()).value ?? ''
  const ports = (await nextLine()).split(' ').slice(1).map(Number)
  if (ports.length === 0) throw new Error(`the server did not start: ${errors}`)

  const failures = []
  let isAlive = true
  void gone.then(() => (isAlive = false))
  let next = 0
  const startedAt = performance.now()
  const client = async () => {
    while (next < count && isAlive && failures.length < 10) {
      const number = next++
      const one = plan(generator(seed + number * 7_919), number)
      await run(ports[number % ports.length], one).catch((error) => {
        failures.push(`connection ${number}: ${error.message}`)
      })
    }
  }
  await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, client))

  let left = NaN
  for (let i = 0; isAlive && i < 100; i++) {
    child.stdin.write('count\n')
    left = Number((await nextLine()).split(' ')[1])
    if (left === 0) break
    await sleep(100)
  }
  // Every way still serves.
  const echo = plan(() => 0.5, 0)
  for (const port of isAlive ? ports : []) {
    const alive = {
      ...echo,
      cut: null,
      segments: [Buffer.from(upgradeHead('echo')), textFrame('frame 0')],
      frames: 1,
      answers: [{ status: 101, body: null }],
    }
    await run(port, alive).catch((error) => failures.push(`afterwards: ${error.message}`))
  }
  if (!isAlive) failures.push(`the process of the server ended with ${await gone}`)
  else if (left !== 0) failures.push(`the server still counts ${left} connections`)
  if (errors !== '') failures.push(`it wrote: ${errors.slice(0, 2_000)}`)
  child.stdin.end()
  await gone
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  for (const failure of failures) console.log(failure)
  console.log(`${failures.length === 0 ? 'lived' : 'FAILED'} through ${next} connections in ${seconds} s`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

const [, , first, second] = process.argv
if (first === '--serve') await serve(second)
else await main(process.argv.slice(2))
