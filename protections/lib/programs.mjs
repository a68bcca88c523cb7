/** Runs jest, or the compiler, with changed files. */
import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { changedEnvironment } from './changes.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const preload = fileURLToPath(new URL('read-changed.mjs', import.meta.url))
const JEST = 'node_modules/jest/bin/jest.js'
const TSC = 'node_modules/typescript/bin/tsc'

/** How long one run may take: the slowest test takes a tenth of it on a machine that does nothing else. */
const MAX_RUN_MS = 300_000
/** The same for the compiler, which reads everything. */
const MAX_COMPILE_MS = 900_000

/** @typedef {import('./changes.mjs').Change} Change */

/**
 * @param {readonly string[]} args of Node
 * @param {readonly Change[]} changes
 * @param {number} maxMs
 * @returns {Promise<{ output: string, isCut: boolean }>} `isCut`: it did not end in time
 */
function run(args, changes, maxMs) {
  const isGroup = process.platform !== 'win32'
  const child = spawn(process.execPath, args, {
    cwd: root,
    // A group of its own, so that what it started ends with it.
    detached: isGroup,
    env: changes.length === 0 ? process.env : changedEnvironment(changes, preload),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  }
  return new Promise((resolve, reject) => {
    const end = () => {
      try {
        process.kill(isGroup ? -child.pid : child.pid, 'SIGKILL')
      } catch (error) {
        // It has ended by now, with all of its group.
        if (error.code !== 'ESRCH') throw error
      }
    }
    let isCut = false
    const timer = setTimeout(() => {
      isCut = true
      end()
    }, maxMs)
    const interrupted = () => {
      end()
      process.exit(130)
    }
    process.once('SIGINT', interrupted)
    child.once('error', reject)
    child.once('close', () => {
      clearTimeout(timer)
      process.off('SIGINT', interrupted)
      resolve({ output, isCut })
    })
  })
}

/**
 * @param {{ files: readonly string[], pattern: string, changes?: readonly Change[], folder: string }} options `pattern`: of the
 *   full names; `folder`: for the report
 * @returns {Promise<{ report: import('./verdict.mjs').Report | null, output: string, isCut: boolean }>}
 */
export async function runJest({ files, pattern, changes = [], folder }) {
  const reportFile = path.join(folder, 'report.json')
  await rm(reportFile, { force: true })
  // What a test leaves open when it fails does not keep jest.
  const end = changes.length === 0 ? [] : ['--forceExit']
  const flags = ['--ci', '--json', `--outputFile=${reportFile}`, '--testNamePattern', pattern, ...end]
  const { output, isCut } = await run([JEST, ...flags, '--runTestsByPath', ...files], changes, MAX_RUN_MS)
  const text = await readFile(reportFile, 'utf8').catch(() => null)
  return { report: text === null ? null : JSON.parse(text), output, isCut }
}

/** @param {readonly Change[]} changes @returns {Promise<string>} what the compiler says; empty: nothing is wrong */
export async function runCompiler(changes) {
  const { output, isCut } = await run(
    [TSC, '-p', 'tsconfig.json', '--pretty', 'false'],
    changes,
    MAX_COMPILE_MS,
  )
  if (isCut) throw new Error(`the compiler did not end within ${String(MAX_COMPILE_MS / 1000)} s`)
  return output.trim()
}
