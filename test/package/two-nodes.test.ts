// slow: starts redis-server, nginx and two nodes, and restarts the nodes
/** examples/two-nodes as it is: the script, its nginx and its nodes, on free ports, with clients that reconnect. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '../../src/index.js'
import { freePort, installHawser, Program, root } from '../helpers/doc-programs.js'

let directory = ''
const script = (): string => path.join(directory, 'two-nodes/start.mjs')

beforeAll(() => {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'hawser-two-nodes-')))
  installHawser(directory, ['redis'])
  cpSync(path.join(root, 'examples/two-nodes'), path.join(directory, 'two-nodes'), { recursive: true })
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

/** A client in the room that remembers which node it is at, and what it has heard. */
class Guest {
  readonly heard: string[] = []
  /** What nodes it has been at, the last one last. */
  readonly nodes: string[] = []
  readonly ends: string[] = []
  send: (text: string) => void = () => undefined
  terminate: () => void = () => undefined

  async open(url: string): Promise<this> {
    const socket = await connect(url, {
      reconnect: { minDelayMs: 50, maxDelayMs: 200 },
      handlers: {
        onMessage: (_socket, message) => {
          const [, node] = /^connected to (.*)$/.exec(String(message)) ?? []
          if (node === undefined) this.heard.push(String(message))
          else this.nodes.push(node)
        },
        onClose: (_socket, { code, reason }) => {
          this.ends.push(`${String(code)} ${reason}`)
        },
      },
    })
    this.send = (text) => {
      socket.send(text)
    }
    this.terminate = () => {
      socket.terminate()
    }
    await until(() => this.nodes.length > 0)
    return this
  }
}

/** Whatever is waited for never comes when the script has ended: then the test ends with what it said. */
let hasEnded: string | null = null

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    if (hasEnded !== null) throw new Error(`the script has ended: ${hasEnded}`)
    await delay(10)
  }
}

/** Each says something, again and again, until the other one has heard it. */
async function converse(word: string, guests: readonly Guest[]): Promise<void> {
  for (const [index, guest] of guests.entries()) {
    const text = `${word} of ${String(index)}`
    const others = guests.filter((one) => one !== guest)
    const hasArrived = (): boolean =>
      others.every(({ heard }) => heard.some((line) => line.startsWith(`${text} (sent at node `)))
    while (!hasArrived()) {
      if (hasEnded !== null) throw new Error(`the script has ended: ${hasEnded}`)
      guest.send(text)
      await delay(50)
    }
  }
}

it('clients at two nodes behind nginx talk to each other, before and after one is killed, and after a deploy', async () => {
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
  const started = new Program(script(), { args: ['--ports', ports.join(','), '--spread-ms', '300'] })
  void started.ended.then(({ errors }) => (hasEnded = errors))
  const guests: Guest[] = []
  try {
    const front = String(ports[0])
    await started.printed(`http://localhost:${front}/ is open: two windows of it may be at different nodes`)
    const url = `ws://127.0.0.1:${front}/chat/lobby`
    while (new Set(guests.map(({ nodes }) => nodes[0])).size < 2) guests.push(await new Guest().open(url))
    await converse('hello', guests)

    const page = await fetch(`http://127.0.0.1:${front}/`)
    expect(await page.text()).toContain('<title>Two nodes</title>')
    const health = await fetch(`http://127.0.0.1:${String(ports[1])}/health`)
    expect(await health.json()).toMatchObject({ node: 'node 1', backplane: { nodes: 1 } })

    started.type('kill 1')
    await started.printed('node 1 has ended, and is started again')
    const hit = guests.filter(({ nodes }) => nodes[0] === 'node 1')
    expect(hit.length).toBeGreaterThan(0)
    await until(() => hit.every(({ nodes }) => nodes.length > 1))
    await converse('after the kill', guests)

    const counts = guests.map(({ nodes }) => nodes.length)
    started.type('deploy')
    await started.printed('node 1 closes its connections over 300 ms')
    started.type('help')
    await started.printed("'help' waits for the end of 'deploy'")
    await started.printed('deployed')
    await started.printed('commands: deploy, kill 1, kill 2; Ctrl+C ends')
    // Both nodes were restarted, so each client has moved once at least, and was told when to come back.
    await until(() => guests.every(({ nodes }, index) => nodes.length > (counts[index] ?? 0)))
    expect(guests.every(({ ends }) => ends.length >= 1)).toBe(true)
    await converse('after the deploy', guests)
  } finally {
    for (const guest of guests) guest.terminate()
    started.end('SIGINT')
  }
  const { status, errors } = await started.ended
  expect(status).toBe(0)
  expect(errors.split('\n').filter((line) => line.startsWith('[node'))).toEqual([])
  expect(await Promise.all(ports.map(isOpen))).toEqual([false, false, false, false])
}, 120_000)

it('the script says which port is taken, and starts nothing', async () => {
  const { createServer } = await import('node:net')
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const ports = [await freePort(), await freePort(), port, await freePort()]
  const { status, errors } = await new Program(script(), { args: ['--ports', ports.join(',')] }).ended
  other.close()
  expect([status, errors]).toEqual([1, `port ${String(port)} is taken: choose others with --ports\n`])
})

it.each([
  [['--spread-ms', 'x'], "--spread-ms must be a whole number of milliseconds from 0 to 86400000, not 'x'"],
  [
    ['--ports', '1,2'],
    "--ports must be four different ports from 1 to 65535, as 8080,8081,8082,6399, not '1,2'",
  ],
  [
    ['--ports', '1,2,3,3'],
    "--ports must be four different ports from 1 to 65535, as 8080,8081,8082,6399, not '1,2,3,3'",
  ],
  [['--port', '1'], "Unknown option '--port'"],
])('the script with %j says what is wrong, and starts nothing', async (args, message) => {
  const { status, errors } = await new Program(script(), { args }).ended
  const [first = '', usage, ...rest] = errors.split('\n')
  expect([status, first.slice(0, message.length), rest]).toEqual([1, message, ['']])
  expect(usage).toBe('usage: node start.mjs [--ports NGINX,NODE1,NODE2,REDIS] [--spread-ms MS]')
})

it('the script says what to install where redis-server and nginx are missing', () => {
  const temp = path.join(directory, 'temp')
  mkdirSync(temp)
  const { status, stderr } = spawnSync(process.execPath, [script()], {
    encoding: 'utf8',
    env: { PATH: path.join(directory, 'nothing'), TMPDIR: temp },
  })
  expect(status).toBe(1)
  expect(stderr).toBe(
    'redis-server is not here. Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis\n' +
      'nginx is not here. Debian and Ubuntu: apt-get install nginx-light; macOS: brew install nginx\n',
  )
  expect(readdirSync(temp)).toEqual([])
})
