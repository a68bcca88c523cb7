/** One program in a process of its own, and the comparison of its two runs. */
import { spawn } from 'node:child_process'
import { isDeepStrictEqual } from 'node:util'

const TIMEOUT_MS = 120_000
/** How long a program that is done may take to end by itself. */
const LINGER_MS = 3_000
const SAID_CHARACTERS = 3_000

/**
 * @typedef {object} Report
 * @property {any} result
 * @property {Record<string, number>} figures
 * @property {string[]} warnings
 * @property {number} tookMs
 * @property {number} cpuMs of this process
 * @property {{ peakMb: number, heapMb: number }} memory
 * @property {{ server: number, client: number }} carried
 * @property {boolean} endsByItself
 */

/** @returns {Promise<{ report: Report } | { failure: string }>} */
export function runProgram({ name, timeoutMs = TIMEOUT_MS }, tree) {
  return new Promise((resolve) => {
    const args = ['--expose-gc', '--require', './lib/probe.cjs', 'lib/child.mjs', name]
    const child = spawn(process.execPath, args, {
      cwd: tree,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NODE_PATH: '', NODE_OPTIONS: '', NO_COLOR: '1' },
      // What it starts, a browser, ends with it.
      detached: process.platform !== 'win32',
    })
    const kill = () => {
      try {
        process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    let said = ''
    let report = null
    let wasKilled = false
    const say = (text) => (said = (said + text).slice(-SAID_CHARACTERS))
    child.stdout.setEncoding('utf8').on('data', say)
    child.stderr.setEncoding('utf8').on('data', say)
    const late = () => {
      wasKilled = true
      kill()
    }
    let timer = setTimeout(late, timeoutMs)
    child.on('message', (message) => {
      report = message
      clearTimeout(timer)
      timer = setTimeout(late, LINGER_MS)
    })
    child.once('error', (error) => resolve({ failure: String(error) }))
    child.once('close', (code) => {
      clearTimeout(timer)
      kill()
      if (report !== null && (code === 0 || wasKilled)) {
        resolve({ report: { ...report, endsByItself: !wasKilled } })
        return
      }
      const how = wasKilled ? `not done after ${String(timeoutMs / 1000)} s` : `ended with ${String(code)}`
      resolve({ failure: `${how}\n${said}` })
    })
  })
}

const show = (value) => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 400 ? `${text.slice(0, 400)} ...` : text
}

/** Names and values that are not the same, by path. */
function differences(left, right, at = '') {
  if (isDeepStrictEqual(left, right)) return []
  const isTree = (value) => typeof value === 'object' && value !== null
  if (!isTree(left) || !isTree(right))
    return [`${at || 'result'}: ${show(left)} with ws, ${show(right)} with the drop-in`]
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].flatMap((key) => differences(left[key], right[key], at === '' ? key : `${at}.${key}`))
}

/**
 * @param {{ carries: { server?: number, client?: number } }} program @param {Report} ws @param {Report} dropIn
 * @returns {string[]} what the drop-in does that `ws` does not
 */
export function compare({ carries }, ws, dropIn) {
  const found = differences(ws.result, dropIn.result)
  for (const [role, least] of Object.entries(carries)) {
    if (dropIn.carried[role] >= least) continue
    found.push(
      `the drop-in carried ${String(dropIn.carried[role])} connections as the ${role}, not ${String(least)}`,
    )
  }
  const warned = dropIn.warnings.filter((warning) => !ws.warnings.includes(warning))
  for (const warning of warned) found.push(`a warning that ws has not: ${warning}`)
  if (ws.endsByItself && !dropIn.endsByItself) found.push('the process does not end by itself')
  return found
}
