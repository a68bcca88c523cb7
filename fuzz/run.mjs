/**
 * Fuzzes the engine: docs/fuzzing.md.
 *
 * node fuzz/run.mjs [--seconds N] [--executions N] [--target NAME]... [--lane NAME]... [--seed N] [--save]
 * node fuzz/run.mjs --target NAME [--lane NAME] --replay FILE
 *   --seconds      in all, shared by the targets and lanes. Default 60
 *   --executions   for each target and lane, in place of --seconds: the same run on every machine
 *   --save         keeps the inputs that reach something new in fuzz/corpus
 *   --hang-seconds how long one input may take. Default 60
 *   --findings     the folder for inputs that fail. Default fuzz/findings
 *   --patches      a file of changes to make in the sources before they are built: for tests, which plant faults
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildTargets } from './lib/build.mjs'
import { readCorpus, writeCorpus } from './lib/corpus.mjs'
import { readCurrent } from './lib/current.mjs'
import { LANES } from './lib/lanes.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const TARGETS = 'fuzz/targets'
/** The file that all targets share: not a target. */
const SHARED = ['choices', 'differences', 'heads', 'peer-frames']

/** One execution takes less than a tenth of a second: the rest is for a busy machine. */
const DEFAULT_HANG_SECONDS = 60
const WATCH_MS = 1000
const DEFAULT_SECONDS = 60
const HEAP_MIB = 512

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    executions: { type: 'string' },
    target: { type: 'string', multiple: true },
    lane: { type: 'string', multiple: true },
    seed: { type: 'string' },
    save: { type: 'boolean', default: false },
    replay: { type: 'string' },
    'hang-seconds': { type: 'string' },
    findings: { type: 'string', default: path.join(root, 'fuzz/findings') },
    patches: { type: 'string' },
  },
})

/** @param {string} name @param {string | undefined} value @param {number} otherwise */
function readNumber(name, value, otherwise) {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isFinite(number) || number < 0)
    throw new RangeError(`--${name} is a number from 0, not ${value}`)
  return number
}

/** @param {readonly string[]} known @param {readonly string[] | undefined} asked */
function choose(what, known, asked = known) {
  for (const name of asked) {
    if (!known.includes(name)) throw new RangeError(`--${what} is one of ${known.join(', ')}, not ${name}`)
  }
  return known.filter((name) => asked.includes(name))
}

/** The lanes that a target names in its source. @param {string} target @returns {Promise<string[]>} */
async function lanesOf(target) {
  const source = await readFile(path.join(root, TARGETS, `${target}.ts`), 'utf8')
  const [, list] = /lanes: \[([^\]]*)\]/.exec(source)
  return Object.keys(LANES).filter((lane) => list.includes(`'${lane}'`))
}

/** Runs the child. @param {number} hangMs @returns {Promise<object>} what it reports; where it ends or hangs, a finding */
function runChild(task, hangMs) {
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${String(HEAP_MIB)}`, '--enable-source-maps', path.join(root, 'fuzz/child.mjs')],
    {
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...LANES[task.lane].env },
    },
  )
  child.stdin.end(JSON.stringify(task))
  return new Promise((resolve, reject) => {
    let result = null
    let hung = false
    let seen = { number: 0, at: performance.now() }
    const watch = setInterval(() => {
      const { number } = readCurrent(task.current)
      if (number !== seen.number) seen = { number, at: performance.now() }
      else if (number > 0 && performance.now() - seen.at > hangMs) {
        hung = true
        child.kill('SIGKILL')
      }
    }, WATCH_MS)
    child.on('message', (message) => (result = message))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearInterval(watch)
      if (result !== null) return resolve(result)
      const { number, input } = readCurrent(task.current)
      if (number === 0) return reject(new Error(`${task.target} did not start`))
      const error = hung
        ? `no end after ${String(hangMs)} ms`
        : `the process ended with ${String(signal ?? code)}`
      resolve({
        executions: number,
        places: 0,
        allPlaces: 0,
        features: 0,
        kept: 0,
        corpus: [],
        finding: { input: input.toString('hex'), error },
      })
    })
  })
}

/** Writes the input that failed, and says how to run it again. */
async function tellFinding({ target, lane, finding }) {
  const input = Buffer.from(finding.input, 'hex')
  const name = `${target}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`
  await mkdir(values.findings, { recursive: true })
  const file = path.join(values.findings, name)
  await writeFile(file, input)
  const shown = path.relative(process.cwd(), file)
  console.log(`\nFOUND in ${target}, lane ${lane}: ${finding.error}`)
  console.log(`input (${String(input.length)} bytes): ${shown}`)
  console.log(`replay: npm run fuzz -- --target ${target} --lane ${lane} --replay ${shown}\n`)
}

const perCent = (part, whole) => (whole === 0 ? '-' : `${String(Math.round((100 * part) / whole))} %`)

async function main(folder) {
  const files = await readdir(path.join(root, TARGETS))
  const known = files.map((file) => path.basename(file, '.ts')).filter((name) => !SHARED.includes(name))
  const targets = choose('target', known.sort(), values.target)
  const lanes = choose('lane', Object.keys(LANES), values.lane)
  const seed = readNumber('seed', values.seed, Date.now() % 0x1_0000_0000)
  const runs = []
  for (const target of targets) {
    for (const lane of await lanesOf(target)) if (lanes.includes(lane)) runs.push({ target, lane })
  }
  if (runs.length === 0) throw new RangeError('no target runs in that lane')

  const executions = values.executions === undefined ? null : readNumber('executions', values.executions, 0)
  const seconds = readNumber('seconds', values.seconds, DEFAULT_SECONDS) / runs.length
  const hangMs = readNumber('hang-seconds', values['hang-seconds'], DEFAULT_HANG_SECONDS) * 1000
  const isReplay = values.replay !== undefined
  const patches = values.patches === undefined ? [] : JSON.parse(await readFile(values.patches, 'utf8'))
  const entries = targets.map((target) => `${TARGETS}/${target}.ts`)
  await buildTargets({ root, folder, entries, patches })
  if (!isReplay) {
    const bound = executions === null ? `${seconds.toFixed(1)} s` : `${String(executions)} executions`
    console.log(`seed ${String(seed)}; ${String(runs.length)} runs of ${bound}`)
  }

  let findings = 0
  const kept = new Map(targets.map((target) => [target, new Set()]))
  for (const { target, lane } of runs) {
    const corpus = path.join(root, 'fuzz/corpus', `${target}.txt`)
    const inputs = isReplay ? [await readFile(values.replay)] : await readCorpus(corpus)
    const result = await runChild(
      {
        folder,
        target,
        lane,
        seed,
        seconds: executions === null ? seconds : null,
        executions,
        isReplay,
        current: path.join(folder, `current-${target}-${lane}`),
        inputs: inputs.map((input) => input.toString('hex')),
      },
      hangMs,
    )
    console.log(
      `${target} (${lane}): ${String(result.executions)} executions, ${String(result.places)} places ` +
        `(${perCent(result.places, result.allPlaces)} of the files it loads), ${String(result.features)} features, ` +
        `${String(result.kept)} inputs kept`,
    )
    // All lanes begin with what the first of them reached.
    if (kept.get(target).size === 0) kept.set(target, new Set(result.corpus))
    if (result.finding !== null) {
      findings++
      await tellFinding({ target, lane, finding: result.finding })
    }
  }
  if (values.save && !isReplay) await save(kept)
  console.log(findings === 0 ? 'nothing found' : `${String(findings)} found`)
  return findings === 0
}

/** @param {ReadonlyMap<string, ReadonlySet<string>>} kept of all lanes of a target */
async function save(kept) {
  for (const [target, inputs] of kept) {
    await writeCorpus(
      path.join(root, 'fuzz/corpus', `${target}.txt`),
      [...inputs].map((digits) => Buffer.from(digits, 'hex')),
    )
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'hawser-fuzz-'))
try {
  if (!(await main(folder))) process.exitCode = 1
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error)
  process.exitCode = 2
} finally {
  await rm(folder, { recursive: true, force: true })
}
