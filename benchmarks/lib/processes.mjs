/** Processes of a measurement: servers, the load generator, and what runs by itself; each on its core. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { here } from './contenders.mjs'

const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** One core for who is measured and one for who measures, where the system can tell them apart. */
export const canPin = cpus().length > 1 && works('taskset', ['--version'])
const pinned = (core, command, args) =>
  canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, args]

/**
 * Binds the main thread of a process that was started with `isPinned: false`. Its other threads, as those of V8 that collect garbage,
 * stay where they are; those that it starts later are bound as it is.
 */
export function bindMainThread(core, pid) {
  if (!canPin) return
  const { status, stderr } = spawnSync('taskset', ['-p', '-c', String(core), String(pid)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`taskset could not bind process ${pid}: ${stderr}`)
}

/** What is measured runs on the first core, what measures on the second. */
export const MEASURED = 0
export const MEASURING = 1

/** A folder of this run, gone when the process ends. */
export const scratch = mkdtempSync(path.join(tmpdir(), 'hawser-bench-'))
const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

function start(core, command, args, { env = {}, stdin = 'ignore', isPinned = true } = {}) {
  const [program, all] = isPinned ? pinned(core, command, args) : [command, args]
  const child = spawn(program, all, {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  running.add(child)
  child.complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    child.complaints = (child.complaints + text).slice(-2000)
  })
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  void child.ended.then(() => running.delete(child))
  return child
}

/** Of what a process complained of before it ended, the line that names the error. */
function complain(name, child, how) {
  const lines = child.complaints.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((one) => /^(load:|\w*Error\b)/.test(one)) ?? lines.at(0)
  return new Error(line ?? `${name} ended with ${how}`)
}

/** Runs a process to its end. @returns what it printed */
export async function run(core, command, args, options = {}) {
  const child = start(core, command, args, options)
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 300_000)
  const how = await child.ended
  clearTimeout(timer)
  if (how !== 0) throw complain(path.basename(command), child, how)
  return out
}

/** Starts a process that prints lines. @returns it, and `nextLine`, which rejects when the process ends before */
export function startLines(core, command, args, options) {
  const child = start(core, command, args, options)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => {
    const { value, done } = await lines.next()
    if (done) throw complain(path.basename(command), child, await child.ended)
    return value
  }
  // A server of several processes ends the others first: else what they took would be that of somebody else (quiet.mjs).
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
    await child.ended
    clearTimeout(timer)
  }
  return { child, nextLine, stop }
}

/** Starts a contender's server. @returns its port, what it `uses`, its pid, `collect` (garbage), `rss` (bytes), and `stop` */
export async function startServer(contender, workload, core = MEASURED) {
  const { deflate, clientContext, tls, kind, isPinned } = workload
  const flags = [
    ...contender.flags,
    deflate && '--deflate',
    clientContext && '--keep-context',
    tls && '--tls',
    kind === 'fanout' && '--fanout',
  ].filter(Boolean)
  const file = here(`contenders/${contender.server}.mjs`)
  const { command, args, env } = contender
  const { child, nextLine, stop } = startLines(core, command, [...args, file, ...flags], { env, isPinned })
  const { port, uses } = JSON.parse(await nextLine())
  const rss = () => {
    const text = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)[1]) * 1024
  }
  const collect = async () => {
    child.kill('SIGUSR2')
    await nextLine()
  }
  return { port, uses, pid: child.pid, rss, collect, stop }
}

/**
 * Compiles a program in C.
 * @param sources the files
 * @param flags beside `-O2`
 * @returns its path @throws without a compiler, or where it refuses
 */
export function compileC(name, sources, flags = []) {
  const binary = path.join(scratch, name)
  const args = ['-O2', '-o', binary, ...sources, ...flags]
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8' })
  if (status !== 0) {
    throw new Error(`the load program needs a C compiler: ${error?.message ?? stderr}`, { cause: error })
  }
  return binary
}

const JS_LOADER = { name: 'JavaScript', command: process.execPath, args: [here('load/load.mjs')] }

/**
 * The load generator: compiled from C where there is a compiler, else in JavaScript.
 * @returns it, and the one for TLS, which in C takes the libssl of the system
 * @throws what the compiler says, on Linux
 */
export function findLoader() {
  const sources = readdirSync(here('load')).filter((file) => file.endsWith('.c'))
  let binary
  try {
    binary = compileC(
      'load',
      sources.map((file) => here(`load/${file}`)),
      // Of an older C library: what loads libssl.
      ['-ldl'],
    )
  } catch (error) {
    // It is for Linux: what a compiler says elsewhere is no fault of it.
    if (process.platform === 'linux' && error.cause?.code !== 'ENOENT') throw error
    return { ...JS_LOADER, forTls: JS_LOADER }
  }
  const inC = { name: 'C', command: binary, args: [] }
  return { ...inC, forTls: works(binary, ['mode=tls']) ? inC : JS_LOADER }
}
