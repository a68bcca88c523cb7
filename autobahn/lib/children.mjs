import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('node:child_process').SpawnOptions} SpawnOptions */

/** Every child that runs, with what else must be done to end it. @type {Map<ChildProcess, (() => void) | undefined>} */
const running = new Map()

/** @param {ChildProcess} child */
function killGroup(child) {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL') // no group of that id: it has ended, or never had one
  }
}

function killAll() {
  for (const [child, alsoStop] of running) {
    alsoStop?.()
    killGroup(child)
  }
  running.clear()
}

let hooked = false

function hookExit() {
  if (hooked) return
  hooked = true
  process.on('exit', killAll)
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      process.stderr.write(`\nautobahn: stopped by ${signal}\n`)
      process.exit(128 + constants.signals[signal])
    })
  }
}

/**
 * Starts a child that never outlives this process: it has a group of its own, which is killed on exit, on SIGINT,
 * SIGTERM and SIGHUP.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {SpawnOptions & { alsoStop?: () => void }} [options] alsoStop: called, synchronously, before it is killed
 * @returns {ChildProcess}
 */
export function startChild(command, args, { alsoStop, ...options } = {}) {
  hookExit()
  const child = spawn(command, args, { detached: true, ...options })
  running.set(child, alsoStop)
  const forget = () => {
    running.delete(child)
  }
  child.once('exit', forget)
  child.once('error', forget)
  return child
}

/** @param {ChildProcess} child Ends a child and what it started. */
export function stopChild(child) {
  if (!running.has(child)) return
  running.get(child)?.()
  killGroup(child)
}

/**
 * @param {ChildProcess} child
 * @returns {Promise<{ ok: boolean, how: string }>} how it ended, in words: `exit status 1`
 */
export function childEnded(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve({ ok: false, how: error.message })
    })
    // 'close' rather than 'exit': what it printed has then been read
    child.once('close', (status, signal) => {
      resolve({
        ok: status === 0,
        how: signal === null ? `exit status ${String(status)}` : `ended by ${signal}`,
      })
    })
  })
}

/**
 * Runs a short command to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ timeoutMs?: number, env?: NodeJS.ProcessEnv, logFd?: number }} [options] logFd: an open file that gets the
 *   output, instead of the result
 * @returns {Promise<{ ok: boolean, how: string, output: string }>} output: standard output, at most 64 KiB of it
 */
export async function runCommand(command, args, { timeoutMs = 15_000, env = process.env, logFd } = {}) {
  const child = startChild(command, args, {
    env,
    stdio: logFd === undefined ? ['ignore', 'pipe', 'ignore'] : ['ignore', logFd, logFd],
  })
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    if (output.length < 65_536) output += text
  })
  const timer = setTimeout(() => {
    stopChild(child)
  }, timeoutMs)
  const end = await childEnded(child)
  clearTimeout(timer)
  return { ...end, output }
}
