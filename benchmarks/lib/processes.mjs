import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))
const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** One core for who is measured and one for who measures, where the system can tell them apart. */
const canPin = cpus().length > 1 && works('taskset', ['--version'])
const pinned = (core, command, args) =>
  canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, args]

/** The load generator: compiled from C where there is a compiler, else in JavaScript. */
export function findLoader() {
  const binary = path.join(mkdtempSync(path.join(tmpdir(), 'hawser-bench-')), 'load')
  const hasCompiler = works('cc', ['-O2', '-o', binary, here('load/load.c')])
  return hasCompiler
    ? { name: 'C', command: binary, args: [] }
    : { name: 'JavaScript', command: process.execPath, args: [here('load/load.mjs')] }
}

/** Runs a process to its end. @returns {Promise<string>} what it printed */
function run(core, command, args) {
  const [program, all] = pinned(core, command, args)
  return new Promise((resolve, reject) => {
    const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new Error(`${path.basename(command)} ended with ${code}`))
    })
  })
}

/** Runs a micro benchmark in a process of its own. @returns its figures, by name */
export async function runMicro(name, contender) {
  return JSON.parse(await run(0, process.execPath, [here(`micro/${name}.mjs`), contender]))
}

/** Starts an echo server, puts load on it, ends it. @returns the load generator's figures */
export async function runEcho(contender, loader, workload, { seconds, warmup }) {
  const [program, args] = pinned(0, process.execPath, [here(`contenders/${contender}-server.mjs`)])
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await new Promise((resolve, reject) => {
      server.stdout.once('data', (chunk) => resolve(String(chunk).trim()))
      server.once('error', reject)
      server.once('exit', (code) => reject(new Error(`${contender} ended with ${code}`)))
    })
    const { connections, inFlight, bytes, type } = workload
    const numbers = [port, connections, inFlight, bytes, type, seconds, warmup].map(String)
    return JSON.parse(await run(1, loader.command, [...loader.args, ...numbers]))
  } finally {
    server.kill()
  }
}
