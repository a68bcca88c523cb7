import { openSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startChild } from './children.mjs'

/**
 * Starts a contender in a process of its own, whose output goes to `contender.log`.
 * @param {'serve' | 'drive'} part an echo server, or a client that goes through the cases
 * @param {readonly string[]} args
 * @param {string} dir the run's folder
 * @param {(message: any) => void} onMessage what it tells
 */
export function startContender(part, args, dir, onMessage) {
  const script = fileURLToPath(new URL(`contenders/${part}.mjs`, import.meta.url))
  const logFd = openSync(join(dir, 'contender.log'), 'w')
  const child = startChild(process.execPath, [script, ...args], { stdio: ['ignore', logFd, logFd, 'ipc'] })
  closeSync(logFd)
  child.on('message', onMessage)
  return child
}
