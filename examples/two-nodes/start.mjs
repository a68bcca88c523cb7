/**
 * Starts Redis, two nodes and nginx on this machine, without containers. Ctrl+C ends all of them.
 *
 *   node examples/two-nodes/start.mjs [--ports NGINX,NODE1,NODE2,REDIS] [--spread-ms MS]
 *
 * It reads commands, a line each: `deploy` restarts the nodes one after the other, as for a new version; `kill 1` and `kill 2`
 * kill a node without a word. A node that ended by itself is started again.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const PROGRAMS = { 'redis-server': ['--version'], nginx: ['-v'] }
const PACKAGES = { 'redis-server': ['redis-server', 'redis'], nginx: ['nginx-light', 'nginx'] }

const DAY_MS = 86_400_000

/** @returns whether a text is a whole number from `least` to `most` */
const isWhole = (text, least, most) => /^\d{1,8}$/.test(text) && Number(text) >= least && Number(text) <= most

/** @throws Error with the option, its value and what is legal */
function readOptions() {
  const { values } = parseArgs({
    options: {
      ports: { type: 'string', default: '8080,8081,8082,6399' },
      'spread-ms': { type: 'string', default: '5000' },
    },
  })
  const { ports, 'spread-ms': spreadMs } = values
  const list = ports.split(',')
  if (new Set(list).size !== 4 || list.length !== 4 || !list.every((port) => isWhole(port, 1, 65_535))) {
    throw new Error(
      `--ports must be four different ports from 1 to 65535, as 8080,8081,8082,6399, not '${ports}'`,
    )
  }
  if (!isWhole(spreadMs, 0, DAY_MS)) {
    throw new Error(
      `--spread-ms must be a whole number of milliseconds from 0 to ${DAY_MS}, not '${spreadMs}'`,
    )
  }
  return { list, spreadMs }
}

let options
try {
  options = readOptions()
} catch (error) {
  console.error(error.message)
  console.error('usage: node start.mjs [--ports NGINX,NODE1,NODE2,REDIS] [--spread-ms MS]')
  process.exit(1)
}
const [front, first, second, redisPort] = options.list
const { spreadMs } = options

const missing = Object.keys(PROGRAMS).filter((name) => spawnSync(name, PROGRAMS[name]).error !== undefined)
for (const name of missing) {
  const [debian, homebrew] = PACKAGES[name]
  console.error(
    `${name} is not here. Debian and Ubuntu: apt-get install ${debian}; macOS: brew install ${homebrew}`,
  )
}
if (missing.length > 0) process.exit(1)

const directory = mkdtempSync(path.join(tmpdir(), 'two-nodes-'))
const running = new Set()
let isEnding = false

/** Starts a program whose errors are shown with its name. @returns it, with a promise of its end */
function start(name, command, args, env = {}) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    // Ctrl+C is for this program alone: it ends the others in their order.
    detached: true,
  })
  child.stdout.resume()
  createInterface({ input: child.stderr }).on('line', (line) => console.error(`[${name}] ${line}`))
  child.ended = new Promise((resolve) => {
    child.once('error', resolve)
    child.once('exit', resolve)
  })
  running.add(child)
  void child.ended.then(() => running.delete(child))
  return child
}

async function stop(child, signal = 'SIGTERM') {
  child.kill(signal)
  await child.ended
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connectTcp(Number(port), '127.0.0.1', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Waits until a program listens. @throws where it ends before */
async function listening(name, child, port) {
  while (!(await accepts(port))) {
    if (!running.has(child)) throw new Error(`${name} ended before it listened at port ${port}`)
    await delay(20)
  }
}

/** A port that another program has would make it look as if ours listened. */
async function checkPorts() {
  for (const port of [front, first, second, redisPort]) {
    if (await accepts(port)) throw new Error(`port ${port} is taken: choose others with --ports`)
  }
}

class Node {
  /** Settles when it is up: nothing else is done with it before. */
  up = Promise.resolve()

  constructor(number, port) {
    this.name = `node ${number}`
    this.port = port
  }

  start() {
    this.up = this.#start()
    return this.up
  }

  async #start() {
    const REDIS_URL = `redis://127.0.0.1:${redisPort}`
    const env = { PORT: this.port, NODE_NAME: this.name, SPREAD_MS: spreadMs, REDIS_URL }
    const child = start(this.name, process.execPath, [here('server.mjs')], env)
    this.child = child
    await listening(this.name, child, this.port)
    console.log(`${this.name} is up`)
    this.isWanted = true
    void child.ended.then(() => this.#ended())
  }

  async #ended() {
    if (!this.isWanted || isEnding) return
    console.log(`${this.name} has ended, and is started again`)
    await this.start().catch(fail)
  }

  /** SIGTERM: its connections are closed one after another over spreadMs, and go to the other node. */
  async restart() {
    await this.up
    this.isWanted = false
    console.log(`${this.name} closes its connections over ${spreadMs} ms`)
    await stop(this.child)
    await this.start()
  }

  /** Without a word. */
  async kill() {
    await this.up
    this.child.kill('SIGKILL')
  }
}

const nodes = [new Node(1, first), new Node(2, second)]

async function deploy() {
  for (const node of nodes) await node.restart()
  console.log('deployed')
}

async function obey(line) {
  const [command, number] = line.split(' ')
  if (command === 'deploy') await deploy()
  else if (command === 'kill' && nodes[number - 1]) await nodes[number - 1].kill()
  else console.log('commands: deploy, kill 1, kill 2; Ctrl+C ends')
}

async function end(status) {
  if (isEnding) return
  isEnding = true
  // Nodes first, at once: what they have to say to nginx and Redis they can still say.
  await Promise.all(nodes.map(({ child }) => child && stop(child, 'SIGKILL')))
  await Promise.all([...running].map((child) => stop(child)))
  rmSync(directory, { recursive: true, force: true })
  process.exit(status)
}

function fail(error) {
  console.error(error.message)
  return end(1)
}

async function main() {
  await checkPorts()
  const redisArgs = ['--port', redisPort, '--bind', '127.0.0.1', '--save', '', '--dir', directory]
  await listening('redis-server', start('redis', 'redis-server', redisArgs), redisPort)
  await Promise.all(nodes.map((node) => node.start()))

  const config = readFileSync(here('nginx.conf'), 'utf8')
    .replace('127.0.0.1:8080', `127.0.0.1:${front}`)
    .replace('127.0.0.1:8081', `127.0.0.1:${first}`)
    .replace('127.0.0.1:8082', `127.0.0.1:${second}`)
  writeFileSync(path.join(directory, 'nginx.conf'), config)
  const nginx = start('nginx', 'nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'])
  await listening('nginx', nginx, front)
  console.log(`http://localhost:${front}/ is open: two windows of it may be at different nodes`)

  // One after the other.
  let obeyed = Promise.resolve()
  let current = null
  for await (const text of createInterface({ input: process.stdin })) {
    const line = text.trim()
    if (current !== null) console.log(`'${line}' waits for the end of '${current}'`)
    obeyed = obeyed.then(async () => {
      current = line
      await obey(line)
      current = null
    })
    obeyed.catch(fail)
  }
  await obeyed
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(0))
main().catch(fail)
