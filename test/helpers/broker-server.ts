/**
 * Real brokers for tests: redis-server and nats-server, on a free port, in a directory of their own. They can be killed, stopped,
 * and started again on the same port. A test without the program fails.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './doc-programs.js'

interface Kind {
  readonly program: string
  args(port: number, directory: string, monitorPort: number): readonly string[]
  /** What is sent to a server that may not be ready, and the beginning of the answer of one that is. */
  readonly hello: string
  readonly ready: RegExp
}

const REDIS: Kind = {
  program: 'redis-server',
  args: (port, directory) => [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    directory,
  ],
  hello: 'PING\r\n',
  ready: /^(\+PONG|-NOAUTH)/,
}

const NATS: Kind = {
  program: 'nats-server',
  args: (port, directory, monitorPort) => [
    '-a',
    '127.0.0.1',
    '-p',
    String(port),
    '-m',
    String(monitorPort),
    '-js',
    '-sd',
    directory,
  ],
  hello: '',
  ready: /^INFO /,
}

const CORE_NATS: Kind = {
  ...NATS,
  args: (port, _directory, monitorPort) => ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitorPort)],
}

/** Watches one master, and makes a replica the next one when it is down. It writes its configuration itself. */
const SENTINEL: Kind = {
  ...REDIS,
  args: (port, directory) => [path.join(directory, 'sentinel.conf'), '--sentinel', '--port', String(port)],
}

const running = new Set<BrokerServer>()

/** For afterAll. */
export function stopBrokers(): void {
  for (const server of [...running]) server.remove()
}

/** Whether all threads of a process are stopped (proc(5), the third field of `stat`). */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${String(pid)}/task`
  return readdirSync(tasks).every((task) =>
    readFileSync(`${tasks}/${task}/stat`, 'utf8').replace(/^.*\)/, '').includes(' T '),
  )
}

/** A broker in a process of its own. */
export class BrokerServer {
  readonly port: number
  /** Where nats-server tells about itself, over HTTP. */
  readonly monitorPort: number
  private readonly kind: Kind
  private readonly extra: readonly string[]
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'hawser-broker-'))
  private child: ChildProcess | null = null

  private constructor(kind: Kind, ports: readonly [number, number], extra: readonly string[]) {
    this.kind = kind
    ;[this.port, this.monitorPort] = ports
    this.extra = extra
    running.add(this)
  }

  /** @param extra arguments of redis-server */
  static redis(...extra: string[]): Promise<BrokerServer> {
    return BrokerServer.make(REDIS, extra)
  }

  /** A sentinel of this master, which alone decides. @param name of the master */
  static sentinel(name: string, master: BrokerServer): Promise<BrokerServer> {
    return BrokerServer.make(SENTINEL, [], (directory) => {
      const lines = [
        'bind 127.0.0.1',
        `sentinel monitor ${name} 127.0.0.1 ${String(master.port)} 1`,
        `sentinel down-after-milliseconds ${name} 500`,
        `sentinel failover-timeout ${name} 3000`,
      ]
      writeFileSync(path.join(directory, 'sentinel.conf'), `${lines.join('\n')}\n`)
    })
  }

  /** With JetStream. @param extra arguments of nats-server */
  static nats(...extra: string[]): Promise<BrokerServer> {
    return BrokerServer.make(NATS, extra)
  }

  /** Without JetStream. */
  static coreNats(): Promise<BrokerServer> {
    return BrokerServer.make(CORE_NATS, [])
  }

  /** @param prepare called with the directory of the server, before it starts */
  private static async make(
    kind: Kind,
    extra: readonly string[],
    prepare: (directory: string) => void = () => undefined,
  ): Promise<BrokerServer> {
    const { program } = kind
    if (spawnSync(program, ['--version']).status !== 0) {
      throw new Error(`this test needs ${program}: apt-get install -y ${program} (see CONTRIBUTING.md)`)
    }
    const server = new BrokerServer(kind, [await freePort(), await freePort()], extra)
    prepare(server.directory)
    await server.start()
    return server
  }

  get url(): string {
    return `${this.kind.program === 'redis-server' ? 'redis' : 'nats'}://127.0.0.1:${String(this.port)}`
  }

  /** Starts the program, again on the same port, and waits until it answers. */
  async start(): Promise<void> {
    const { program, args } = this.kind
    const child = spawn(program, [...args(this.port, this.directory, this.monitorPort), ...this.extra], {
      stdio: 'ignore',
    })
    this.child = child
    while (!(await this.answers())) {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${String(child.exitCode)}`)
      await delay(5)
    }
  }

  /** Kills the program as with `kill -9`, and waits for its end. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Loses what a program that was killed has in files. */
  forget(): void {
    for (const name of readdirSync(this.directory))
      rmSync(path.join(this.directory, name), { recursive: true })
  }

  /** The program does nothing any more, and its connections stay open. On a busy machine a thread may go on after the signal. */
  freeze(): void {
    this.child?.kill('SIGSTOP')
    const pid = this.child?.pid
    if (pid === undefined || process.platform !== 'linux') return
    const until = performance.now() + 5000
    while (!isStopped(pid)) {
      if (performance.now() > until) throw new Error(`the process ${String(pid)} does not stop`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }

  thaw(): void {
    this.child?.kill('SIGCONT')
  }

  remove(): void {
    running.delete(this)
    this.child?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(this.kind.hello))
      socket.once('data', (data: Buffer) => {
        socket.destroy()
        resolve(this.kind.ready.test(data.toString()))
      })
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
  }
}
