/**
 * A rolling restart of two nodes under clients that reconnect: two processes with a server each, behind one TCP port. In turn
 * the successor of a node is started beside it, the node gets SIGTERM, and it closes its connections spread over a time. All clients
 * are members of one recoverable group, to which the nodes publish all the while: each client has to get every message once and in
 * order. The history is in the process that starts the nodes, which also relays between them.
 *
 * node test/stress/rolling-restart.mjs [--clients 2000] [--spread SECONDS] [--chart FILE]
 *
 * --spread: default 20. --chart: restarts them once more without a spread before that, and draws both (needs `npm ci` in
 * benchmarks). Ends with status 1 and says why if a second of a restart had more than its share of the reconnects, if a
 * client did not come back, if one was closed in another way than its server meant to, or if a message was missing, doubled or out of
 * order at a client.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as connectTcp } from 'node:net'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** What is built: an import by a name that the layers do not follow, since they are looked at before the build. */
const built = (name) => import(new URL(`../../dist/esm/${name}.js`, import.meta.url).href)
const { connect, WebSocketServer } = await built('index')
const { memoryHistory } = await built('recovery/index')

const HOST = '127.0.0.1'
const HEALTH_INTERVAL_MS = 200
/** No second may have more than this times the even share of the reconnects: twice as much is for a busy machine. */
const MOST_SHARES = 3
/** Clients that begin at once. */
const OPENING_AT_ONCE = 50
/** How long all of the clients may take to be back after the last restart. */
const ALL_BACK_MS = 60_000
/** The recoverable group, and how often a node publishes to it. */
const GROUP = 'news'
const PUBLISH_INTERVAL_MS = 500

// A node.

/** The history of the process above, and its relay to the other nodes, over the channel to it. */
class Above {
  #calls = new Map()
  #last = 0
  #receive = () => undefined

  constructor() {
    process.on('message', ({ answer, value, envelope }) => {
      if (envelope !== undefined) this.#receive(envelope)
      if (answer === undefined) return
      this.#calls.get(answer)(value)
      this.#calls.delete(answer)
    })
  }

  append(...args) {
    return this.#call('append', args)
  }

  read(...args) {
    return this.#call('read', args)
  }

  #call(method, args) {
    const id = ++this.#last
    process.send({ id, method, args })
    return new Promise((resolve) => this.#calls.set(id, resolve))
  }

  backplane() {
    return {
      start: (_node, receive) => void (this.#receive = receive),
      publish: (envelope) => process.connected && (process.send({ envelope }) || true),
      watch: () => undefined,
      unwatch: () => undefined,
      close: () => undefined,
    }
  }
}

async function runNode(spreadMs) {
  // A run that failed leaves no node behind.
  const leave = () => process.exit(1)
  process.once('disconnect', leave)
  const above = new Above()
  const server = new WebSocketServer({
    backplane: above.backplane(),
    recovery: {
      history: { append: (...args) => above.append(...args), read: (...args) => above.read(...args) },
      groups: [GROUP],
    },
  })
  server.route('/', {
    onOpen: (socket) => void socket.join(GROUP),
    onMessage: (_, message) => message,
  })
  const { port } = await server.listen(0, HOST)
  let published = 0
  const publish = () => server.group(GROUP).publish(`${GROUP} ${process.pid} ${published++}`)
  let timer
  process.on('message', (message) => {
    if (message === 'publish') timer = setInterval(() => void publish(), PUBLISH_INTERVAL_MS)
    else if (message === 'enough') clearInterval(timer)
  })
  process.once('SIGTERM', async () => {
    const { connections } = server.stats()
    const closed = server.close({ code: 1012, reason: 'new version', spreadMs, timeoutMs: 10_000 })
    // It publishes until its last connection has had its turn, which is now where nothing is spread.
    if (server.signal.aborted) clearInterval(timer)
    else server.signal.addEventListener('abort', () => clearInterval(timer))
    await closed
    process.off('disconnect', leave)
    process.send({ connections })
    process.disconnect()
  })
  process.send({ port })
}

class Node {
  constructor(child, port) {
    this.child = child
    this.port = port
    this.isIn = true
  }

  /** @param news what is published, and the nodes that hear of it */
  static async start(spreadMs, news) {
    const child = fork(fileURLToPath(import.meta.url), ['--node', String(spreadMs)])
    news.add(child)
    const port = await new Promise((resolve) => {
      child.on('message', (message) => message.port !== undefined && resolve(message.port))
    })
    return new Node(child, port)
  }

  publish() {
    this.child.send('publish')
  }

  /** @returns how many connections it had */
  async restart() {
    const ended = once(this.child, 'exit')
    const said = new Promise((resolve) => {
      this.child.on('message', ({ connections }) => connections !== undefined && resolve(connections))
    })
    this.child.kill('SIGTERM')
    const connections = await said
    const [status] = await ended
    if (status !== 0) throw new Error(`a node ended with status ${status}`)
    return connections
  }

  /** Whether it takes connections: a node that closes answers 503, and one that is over nothing. */
  isHealthy() {
    return new Promise((resolve) => {
      const socket = connectTcp(this.port, HOST)
      socket.end('GET /health HTTP/1.1\r\nHost: node\r\n\r\n')
      socket.once('data', (bytes) => resolve(!bytes.toString('latin1').startsWith('HTTP/1.1 503 ')))
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
  }
}

/** A node that has just ended is not told. */
function tell(child, message) {
  if (child.connected) child.send(message, () => undefined)
}

/** The history of the recoverable group, and the relay between the nodes. */
class News {
  /** All that was published, in its order. */
  texts = []
  #history = memoryHistory()
  #nodes = new Set()

  add(child) {
    this.#nodes.add(child)
    child.on('exit', () => this.#nodes.delete(child))
    child.on('message', ({ id, method, args, envelope }) => {
      if (envelope !== undefined) {
        for (const other of this.#nodes) if (other !== child) tell(other, { envelope })
      } else if (method !== undefined) {
        if (method === 'append') this.texts.push(args[1])
        const value = this.#history[method](...args)
        tell(child, { answer: id, value })
      }
    })
  }
}

/** One port in front of the nodes. Like a balancer, it learns from checks of health who takes connections. */
class Balancer {
  nodes = new Set()
  #server = createServer((socket) => this.#pass(socket))
  #turn = 0
  #checks = setInterval(() => {
    for (const node of this.nodes) void node.isHealthy().then((isHealthy) => (node.isIn = isHealthy))
  }, HEALTH_INTERVAL_MS)

  async listen() {
    await once(this.#server.listen(0, HOST), 'listening')
    return this.#server.address().port
  }

  close() {
    clearInterval(this.#checks)
    this.#server.close()
  }

  #pass(socket) {
    const nodes = [...this.nodes].filter(({ isIn }) => isIn)
    const node = nodes[this.#turn++ % nodes.length]
    socket.on('error', () => undefined)
    if (node === undefined) {
      socket.destroy()
      return
    }
    const behind = connectTcp(node.port, HOST)
    behind.on('error', () => socket.destroy())
    behind.on('close', () => socket.destroy())
    socket.on('close', () => behind.destroy())
    socket.pipe(behind).pipe(socket)
  }
}

// The clients, in a process of their own.

async function runClients(count, url) {
  const sockets = []
  let reconnects = []
  let closes = {}
  let refusals = 0
  const unrecovered = []
  /** A client: the news that it got, and who waits for the echo of what it said. */
  const optionsOf = (client) => ({
    data: client,
    handlers: {
      onTextMessage: ({ data }, text) => {
        if (text.startsWith(`${GROUP} `)) data.news.push(text)
        else data.echoed(text)
      },
    },
    recovery: { onRecovered: (outcome) => outcome.recovered || unrecovered.push(outcome.reason) },
    reconnect: {
      onReconnecting: ({ cause: { close, error } }) => {
        if (close !== undefined) {
          const end = `${close.code} ${close.reason}`
          closes[end] = (closes[end] ?? 0) + 1
        } else if (error.httpStatus === 503) refusals++
        else closes[error.message] = (closes[error.message] ?? 0) + 1
      },
      onReconnected: () => reconnects.push(performance.timeOrigin + performance.now()),
    },
  })
  // A run that failed leaves no clients behind.
  process.once('disconnect', () => process.exit())
  let begun = 0
  const open = async () => {
    while (begun++ < count) {
      sockets.push(await connect(url, optionsOf({ news: [], echoed: () => undefined })))
    }
  }
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, open))
  process.send({ opened: sockets.length })
  process.on('message', async (question) => {
    if (question.texts !== undefined) {
      // Each has all that was published since its first position: nothing twice, nothing out of order, nothing missing.
      const isWhole = ({ data: { news } }) => {
        const first = question.texts.indexOf(news[0])
        return first >= 0 && question.texts.slice(first).join() === news.join()
      }
      const deadline = performance.now() + ALL_BACK_MS
      while (!sockets.every(isWhole) && performance.now() < deadline) await sleep(100)
      process.send({ whole: sockets.filter(isWhole).length, unrecovered: unrecovered.length })
      return
    }
    if (question === 'end') {
      for (const socket of sockets) socket.terminate()
      process.disconnect()
      return
    }
    // Each says something over the connection that it has now.
    const answers = sockets.map(async (socket, index) => {
      const echo = new Promise((resolve) => {
        socket.data.echoed = resolve
        setTimeout(resolve, ALL_BACK_MS, null).unref()
      })
      await socket.write(`client ${index}`, { timeoutMs: ALL_BACK_MS })
      return (await echo) === `client ${index}`
    })
    const results = await Promise.allSettled(answers)
    const back = results.filter(({ value }) => value === true).length
    process.send({ back, reconnects, closes, refusals })
    reconnects = []
    closes = {}
    refusals = 0
  })
}

// The restart.

/** The most of these times that fall into one second, wherever it begins. */
export function mostInOneSecond(times) {
  const sorted = [...times].sort((a, b) => a - b)
  let most = 0
  let first = 0
  for (const [last, time] of sorted.entries()) {
    while (time - sorted[first] >= 1_000) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** Restarts both nodes, one after the other. */
async function restartAll(count, spreadMs) {
  const balancer = new Balancer()
  const port = await balancer.listen()
  const news = new News()
  for (let i = 0; i < 2; i++) balancer.nodes.add(await Node.start(spreadMs, news))
  const clients = fork(fileURLToPath(import.meta.url), ['--client', String(count), `ws://${HOST}:${port}/`])
  await once(clients, 'message')
  for (const node of balancer.nodes) node.publish()
  const startedAt = performance.timeOrigin + performance.now()
  const moved = []
  for (const node of [...balancer.nodes]) {
    const successor = await Node.start(spreadMs, news)
    balancer.nodes.add(successor)
    successor.publish()
    moved.push(await node.restart())
    balancer.nodes.delete(node)
    // Nobody restarts the next node before the clients of this one are back.
    await sleep(2_000)
  }
  clients.send('how are you?')
  const [{ back, reconnects, closes, refusals }] = await once(clients, 'message')
  // The last messages are on their way; nothing more is published.
  for (const node of balancer.nodes) node.child.send('enough')
  await sleep(2 * PUBLISH_INTERVAL_MS)
  clients.send({ texts: news.texts })
  const [{ whole, unrecovered }] = await once(clients, 'message')
  const gone = once(clients, 'exit')
  clients.send('end')
  await gone
  for (const node of balancer.nodes) await node.restart()
  balancer.close()

  const seconds = Math.max(1, spreadMs / 1_000)
  const most = mostInOneSecond(reconnects)
  const even = Math.max(...moved) / seconds
  console.log(
    `spread ${spreadMs / 1_000} s: ${moved.join(' and ')} connections of the nodes, ${reconnects.length} reconnects, ` +
      `at most ${most} in one second (an even share is ${even.toFixed(0)}), ${refusals} times 503, ${back} of ${count} clients are back, ` +
      `${whole} have each of the ${news.texts.length} published messages once and in order`,
  )
  const failures = []
  if (back !== count) failures.push(`${count - back} clients did not come back`)
  if (whole !== count) failures.push(`${count - whole} clients have not got every message once and in order`)
  if (unrecovered > 0) failures.push(`${unrecovered} times a client was told that something is missing`)
  const others = Object.entries(closes).filter(([end]) => !end.startsWith('1012 new version'))
  if (others.length > 0) failures.push(`clients were told of ${JSON.stringify(others)}`)
  if (reconnects.length < moved[0] + moved[1]) failures.push('a reconnect was not told')
  if (spreadMs > 0 && most > MOST_SHARES * even) failures.push(`one second had ${most} of the reconnects`)
  return { spreadMs, failures, at: reconnects.map((time) => (time - startedAt) / 1_000) }
}

async function main() {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '2000' },
      spread: { type: 'string', default: '20' },
      chart: { type: 'string' },
    },
  })
  const [clients, spread] = [Number(values.clients), Number(values.spread)]
  if (!Number.isInteger(clients) || clients < 1)
    throw new RangeError(`--clients must be an integer from 1 up, not ${values.clients}`)
  if (!(spread > 0 && spread <= 86_400)) {
    throw new RangeError(`--spread must be a number of seconds above 0, up to 86400, not ${values.spread}`)
  }
  const runs = []
  if (values.chart !== undefined) runs.push(await restartAll(clients, 0))
  runs.push(await restartAll(clients, spread * 1_000))
  if (values.chart !== undefined) {
    const { drawReconnects } = await import('../../benchmarks/lib/reconnect-chart.mjs')
    await drawReconnects(runs, values.chart)
  }
  const failures = runs.flatMap((run) => run.failures)
  for (const failure of failures) console.log(failure)
  process.exitCode = failures.length === 0 ? 0 : 1
}

const [, , role, first, second] = process.argv
if (role === '--node') await runNode(Number(first))
else if (role === '--client') await runClients(Number(first), second)
else await main()
