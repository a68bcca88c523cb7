/**
 * A client whose connections end in all ways (client-ways.mjs), at the server of raw-server.mjs. For `run KIND COUNT` it opens so many
 * connections at the port of that kind (`plain`, `secure`), and prints how they ended; for `collect FILE` it prints what is left.
 *
 * node --expose-gc soak/nodes/ended-client.mjs '{ "plain": 1, "secure": 2 }' CONNECTIONS_AT_ONCE
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { sequenceOf } from '../lib/script-file.mjs'
import { SHORT_LIMITS, SHORT_TIMES, trustedFiles } from '../lib/short.mjs'
import { CLIENT_WAYS } from './client-ways.mjs'
import { countLeft } from './count-left.mjs'

const { connect } = await import('../../dist/esm/index.js')
const { WebSocket } = await import('../../dist/esm/whatwg/index.js')

const ports = JSON.parse(process.argv[2])
const atOnce = Number(process.argv[3])
/** A connection that is not over by then is stuck. */
const STUCK_MS = 10_000
const tls = trustedFiles()

/** A port at which nothing listens. */
const closed = createServer()
await once(closed.listen(0, '127.0.0.1'), 'listening')
const closedPort = closed.address().port
closed.close()

let open = 0
let names = 0
const sequence = sequenceOf(CLIENT_WAYS)
const outcomes = CLIENT_WAYS.map(() => ({ done: 0, other: 0, stuck: 0 }))
const surprises = []

const urlOf = (kind, path) => {
  const scheme = kind === 'secure' ? 'wss' : 'ws'
  return path === 'closed'
    ? `${scheme}://127.0.0.1:${closedPort}/`
    : `${scheme}://127.0.0.1:${ports[kind]}${path}`
}

/** By the WebSocket of browsers. @returns the code */
function runInBrowserWay(way, kind) {
  const socket = new WebSocket(urlOf(kind, way.path), { ...(kind === 'secure' ? { tls } : {}) })
  return new Promise((resolve) => {
    socket.onopen = () => way.act?.(socket)
    socket.onclose = ({ code }) => resolve({ code })
  })
}

/** With a second connection after the first one was lost. */
async function runReconnecting(way, options, url) {
  let again
  const back = new Promise((resolve) => (again = resolve))
  const socket = await connect(url, {
    ...options,
    reconnect: { minDelayMs: 1, maxDelayMs: 5, onReconnected: () => again() },
  })
  await back
  return socket.close(1000)
}

async function runWay(way, kind) {
  const { aborts, handlers } = way
  const abort = aborts === undefined ? null : new AbortController()
  if (abort !== null) {
    if (aborts === 0) abort.abort()
    else setTimeout(() => abort.abort(), aborts)
  }
  const options = {
    ...{ limits: SHORT_LIMITS, ...SHORT_TIMES, ...way.options },
    ...(kind === 'secure' ? { tls } : {}),
    ...(handlers === undefined ? {} : { handlers }),
    ...(abort === null ? {} : { signal: abort.signal }),
  }
  if (way.isBrowser) return runInBrowserWay(way, kind)
  if (way.reconnects) return runReconnecting(way, options, urlOf(kind, `${way.path}/${++names}`))
  const socket = await connect(urlOf(kind, way.path), options)
  await way.act?.(socket)
  return socket.closed
}

/** @returns what became of it: `done`, as it was meant; `other`; `stuck` */
async function judgeWay(way, kind) {
  let timer
  const stuck = new Promise((resolve) => (timer = setTimeout(resolve, STUCK_MS, 'stuck')))
  const ended = runWay(way, kind).then(
    ({ code }) =>
      way.fails
        ? `open, and closed with ${code}`
        : way.code === undefined || code === way.code || `closed with ${code}`,
    (error) => way.fails === true || `${error.name} ${error.code ?? ''}: ${error.message}`,
  )
  const outcome = await Promise.race([ended, stuck])
  clearTimeout(timer)
  if (outcome === true) return 'done'
  if (surprises.length < 20) surprises.push(`${way.name}: ${outcome}`)
  return outcome === 'stuck' ? 'stuck' : 'other'
}

let number = 0
async function run(kind, count) {
  const until = number + count
  const work = async () => {
    while (number < until) {
      const index = sequence[number++ % sequence.length]
      open++
      outcomes[index][await judgeWay(CLIENT_WAYS[index], kind)]++
      open--
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [word, kind, count] = line.split(' ')
  if (word === 'run') {
    await run(kind, Number(count))
    console.log(JSON.stringify({ outcomes, surprises }))
  } else console.log(JSON.stringify({ left: await countLeft(() => open, line.slice('collect '.length)) }))
}
process.exit()
