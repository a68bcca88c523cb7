/** The results as data: what they hold, and where they go. Each processor has a file of its own. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { here, readVersions } from './contenders.mjs'
import { NODES } from './nodes.mjs'
import { canPin } from './processes.mjs'
import { FOLDER } from './read-results.mjs'

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

/** Family, model and stepping: one name is given to many processors. Empty where they are not known. */
export function readModel(text) {
  const read = (name) => new RegExp(`^${name}\\s*: (\\d+)$`, 'm').exec(text)?.[1]
  const parts = ['cpu family', 'model', 'stepping'].map(read)
  return parts.every((part) => part !== undefined) ? parts : []
}

/** What the figures depend on that is not software: `{ cpu, model, cores, kernel }`. */
export function readProcessor() {
  let model = []
  try {
    model = readModel(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    // Not Linux: the name must do.
  }
  const kernel = `${process.platform} ${release()}`
  return { cpu: cpus()[0].model.trim(), model: model.join('-'), cores: cpus().length, kernel }
}

/** The name of a processor as that of a file: `Intel(R) Xeon(R) Processor`, 6-207-2: `intel-xeon-6-207-2`. */
export function slugOf({ cpu, model }) {
  const words = cpu
    .toLowerCase()
    .replace(/\((?:r|tm|c)\)|\bprocessor\b|\bcpu\b|@.*/g, ' ')
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()
    .split(/\s+/)
  return [...words, ...(model ? [model] : [])].join('-') || 'unknown'
}

/** Where the results of a processor are. */
export const fileOf = (slug) => path.join(FOLDER, `${slug}.json`)

/** The commit, and whether anything that counts differs from it. @param folders what counts beside src and benchmarks */
export function readTree(...folders) {
  const counted = ['src', 'benchmarks', ...folders, ':!*/results']
  const changes = git('status', '--porcelain', '--', ...counted)
  return { commit: git('rev-parse', 'HEAD'), changed: changes !== null && changes !== '' }
}

/** The versions of the contenders that ran, of the add-ons of ws, and of the Nodes. */
function versionsOf(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.contenders)))]
  const versions = readVersions(names)
  delete versions['hawser-return']
  for (const name of ['bufferutil', 'utf-8-validate']) {
    const { version } = JSON.parse(readFileSync(here(`node_modules/${name}/package.json`), 'utf8'))
    versions[name] = version
  }
  return versions
}

/** What ws uses of its add-ons, by Node, as its processes said. */
function helpersOf(rows) {
  const said = rows.flatMap(({ node, contenders }) =>
    contenders.ws?.uses === undefined ? [] : [[NODES[node].version, contenders.ws.uses]],
  )
  return Object.fromEntries(said)
}

/** What the figures depend on. */
export function describeRun(flags, { loader, nodes, rows, before, during }) {
  const { commit, changed } = before.tree
  const after = readTree()
  const { cpu, model, cores, kernel } = readProcessor()
  return {
    date: new Date().toISOString().slice(0, 10),
    commit,
    // One commit: what changed while it ran is as unknown as what had changed before.
    changed: changed || after.changed || after.commit !== commit,
    nodes: Object.fromEntries(nodes.map((name) => [name, NODES[name].version])),
    ...{ cpu, model, cores },
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: kernel,
    pinned: canPin,
    loader: loader.name,
    tlsLoader: loader.forTls.name,
    rounds: flags.rounds,
    seconds: flags.seconds,
    quick: flags.quick,
    quiet: {
      ...{ loadBefore: before.loadAverage, othersBefore: before.othersShare },
      ...(during ?? { noisyRows: null, worstShare: null }),
    },
    versions: versionsOf(rows),
    wsHelpers: helpersOf(rows),
  }
}

/** Six digits: more is noise. */
const rounded = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)

/** Writes them as prettier would, where it is installed. */
export async function writeResults(file, results) {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  const text = JSON.stringify(results, rounded, 2)
  const prettier = await import('prettier').catch(() => null)
  const options = prettier && (await prettier.resolveConfig(here('run.mjs')))
  const pretty = prettier && (await prettier.format(text, { ...options, parser: 'json' }))
  writeFileSync(file, pretty || `${text}\n`)
}
