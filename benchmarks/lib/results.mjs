/** The results as data: what they hold, and where they go. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { here, readVersions } from './contenders.mjs'
import { canPin } from './processes.mjs'

function git(...args) {
  try {
    return execFileSync('git', args, {
      cwd: here('..'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}

/** What the figures depend on. */
export function describeRun(flags, loader, contenders) {
  const commit = git('rev-parse', 'HEAD')
  const changed = git('status', '--porcelain', '--', 'src', 'benchmarks/contenders', 'benchmarks/load')
  return {
    date: new Date().toISOString().slice(0, 10),
    commit,
    changed: changed !== null && changed !== '',
    node: process.version,
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    pinned: canPin,
    loader: loader.name,
    rounds: flags.rounds,
    seconds: flags.seconds,
    quick: flags.quick,
    versions: readVersions(contenders),
  }
}

/** Six digits: more is noise. */
const rounded = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)

export const LATEST = here('results/latest.json')

/** Writes them as prettier would, where it is installed. */
export async function writeResults(file, results) {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  const text = JSON.stringify(results, rounded, 2)
  const prettier = await import('prettier').catch(() => null)
  const pretty =
    prettier && (await prettier.format(text, { ...(await prettier.resolveConfig(LATEST)), parser: 'json' }))
  writeFileSync(file, pretty || `${text}\n`)
}

export function readResults(file = LATEST) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
