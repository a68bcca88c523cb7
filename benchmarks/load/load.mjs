// The load generator in JavaScript, for machines without a C compiler, and for TLS without libssl: arguments and output of main.c,
// but without mode=once. It takes about as much time for a message as the servers do, so ratios come out smaller.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ReplyCounter } from './replies.mjs'

const options = Object.fromEntries(process.argv.slice(2).map((text) => text.split(/=(.*)/s, 2)))
const number = (name, fallback = 0) => (options[name] === undefined ? fallback : Number(options[name]))
const { mode } = options
const port = number('port')
const connections = number('connections', 1)
const isRaw = number('raw') === 1
const isTls = number('tls') === 1
const seconds = number('seconds', 3)
const warmup = number('warmup', 1)
/** After the last batch comes this one; those before it are sent once. */
const loop = number('loop')

const REQUEST = [
  'GET / HTTP/1.1',
  `Host: 127.0.0.1:${port}`,
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64)',
  `Origin: http://127.0.0.1:${port}`,
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  `Sec-WebSocket-Extensions: ${options.offer ?? 'permessage-deflate; client_max_window_bits'}`,
  '\r\n',
].join('\r\n')

let extensions = ''
let count = 0
let compressed = 0
let replyBytes = 0
let cpuAtStart = 0
const samples = []

function fail(message) {
  console.error(`load: ${message}`)
  process.exit(1)
}

/** Processor time of the server in seconds, or null (Linux only; common.c). */
function serverCpu() {
  if (options.pid === undefined) return null
  try {
    const text = readFileSync(`/proc/${options.pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return null
  }
}

function readBatches() {
  const bytes = readFileSync(options.file)
  const batchCount = bytes.readUInt32LE(0)
  const data = bytes.subarray(8 + 8 * (batchCount + 1))
  const offset = (index) => Number(bytes.readBigUInt64LE(8 + 8 * index))
  return {
    replies: bytes.readUInt32LE(4),
    batches: Array.from({ length: batchCount }, (_, index) =>
      data.subarray(offset(index), offset(index + 1)),
    ),
  }
}

/** Opens a connection. @returns when it was upgraded, with `onBytes` to be set */
function open() {
  return new Promise((resolve) => {
    let head = ''
    const connection = { socket: null, onBytes: () => undefined }
    const opened = () => {
      if (isRaw && mode !== 'handshakes') resolve(connection)
      else connection.socket.write(REQUEST)
    }
    let isOpen = isRaw && mode !== 'handshakes'
    const receive = (chunk) => {
      if (isOpen) {
        connection.onBytes(chunk)
        return
      }
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      if (!isRaw && !head.startsWith('HTTP/1.1 101')) fail('the server did not upgrade')
      extensions ||= /\r\nsec-websocket-extensions: *([^\r]*)/i.exec(head)?.[1] ?? ''
      if (loop > 0 && !/^(?!.*client_no_context_takeover)./.test(extensions))
        fail('the server does not let the client keep its context')
      isOpen = true
      resolve(connection)
      const rest = Buffer.from(head.slice(end + 4), 'latin1')
      if (rest.length > 0) setImmediate(() => connection.onBytes(rest))
    }
    const buffer = Buffer.alloc(256 * 1024)
    const onread = { buffer, callback: (bytes) => (receive(buffer.subarray(0, bytes)), true) }
    if (isTls) {
      connection.socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, opened)
      connection.socket.on('data', receive)
    } else {
      connection.socket = connectTcp({ port, host: '127.0.0.1', noDelay: true, onread }, opened)
    }
    connection.socket.on('error', (error) => fail(error.message))
    connection.socket.on('end', () => fail('the server closed a connection'))
  })
}

async function openAll() {
  const all = []
  for (let i = 0; i < connections; i += 32) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(32, connections - i) }, open))))
  }
  return all
}

/** Replies are counted by a counter for each connection; the first goes to the file. */
function listen(connection, isFirst, onReplies) {
  const dump = isFirst && options.dump !== undefined ? openSync(options.dump, 'w') : null
  if (dump !== null) writeSync(dump, Buffer.from([0, 0]))
  const counter = new ReplyCounter({
    expectedBytes: number('reply', -1),
    isMasked: isRaw,
    dump: dump === null ? null : { write: (bytes) => writeSync(dump, bytes), end: () => closeSync(dump) },
    onMessage: (bytes, isCompressed) => {
      replyBytes += bytes
      if (isCompressed) compressed++
    },
  })
  connection.onBytes = (chunk) => {
    const ended = counter.push(chunk)
    if (counter.error !== null) fail(counter.error)
    count += ended
    onReplies(ended)
  }
}

function runEcho(all, { batches, replies }) {
  all.forEach((connection, index) => {
    let batch = loop > 0 ? 0 : index % batches.length
    let due = 0
    let sentAt = 0
    const send = () => {
      due = replies
      sentAt = performance.now()
      connection.socket.write(batches[batch])
      batch = batch + 1 === batches.length ? loop : batch + 1
    }
    listen(connection, index === 0, (ended) => {
      due -= ended
      if (due < 0) fail('more replies than messages')
      if (due > 0) return
      samples.push((performance.now() - sentAt) * 1000)
      send()
    })
    send()
  })
}

function runFanout(all, { batches, replies }) {
  let due = 0
  let batch = 0
  let sentAt = 0
  const send = () => {
    due = replies * all.length
    sentAt = performance.now()
    all[0].socket.write(batches[batch])
    batch = (batch + 1) % batches.length
  }
  all.forEach((connection, index) =>
    listen(connection, index === 0, (ended) => {
      due -= ended
      if (due < 0) fail('more deliveries than were due')
      if (due > 0) return
      samples.push((performance.now() - sentAt) * 1000)
      send()
    }),
  )
  setTimeout(send, 100)
}

async function openAndReset() {
  for (;;) {
    const from = performance.now()
    const { socket } = await open()
    count++
    samples.push((performance.now() - from) * 1000)
    socket.resetAndDestroy()
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function measure(unit) {
  await sleep(warmup * 1000)
  count = compressed = replyBytes = samples.length = 0
  cpuAtStart = serverCpu()
  const from = performance.now()
  await sleep(seconds * 1000)
  const took = (performance.now() - from) / 1000
  const cpu = serverCpu()
  const figures = { unit, count, seconds: took, perSecond: count / took }
  samples.sort((a, b) => a - b)
  const percentile = (p) => samples[Math.floor((samples.length - 1) * p)]
  if (samples.length > 0) {
    Object.assign(figures, {
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      p999: percentile(0.999),
    })
  }
  if (cpu !== null && count > 0) figures.cpuMicros = ((cpu - cpuAtStart) * 1e6) / count
  writeFileSync(1, `${JSON.stringify({ ...figures, compressed, replyBytes, extensions })}\n`)
  process.exit(0)
}

if (mode === 'echo') {
  runEcho(await openAll(), readBatches())
  await measure('msg/s')
} else if (mode === 'fanout') {
  runFanout(await openAll(), readBatches())
  await measure('deliveries/s')
} else if (mode === 'handshakes') {
  for (let i = 0; i < number('concurrency', 32); i++) void openAndReset()
  await measure('handshakes/s')
} else if (mode === 'idle') {
  await openAll()
  console.log('ready')
  process.stdin.on('end', () => process.exit(0)).resume()
} else {
  fail(`mode=${mode} needs a C compiler`)
}
