/** Fuzzes one target in one lane, in a process of its own: what ends the process is then a finding. Started by `run.mjs`. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { CurrentInput } from './lib/current.mjs'
import { Engine } from './lib/engine.mjs'
import { COUNTERS } from './lib/instrument.mjs'
import { LANES } from './lib/lanes.mjs'

/** @type {{ folder: string, target: string, lane: string, seed: number, seconds: number | null, executions: number | null,
 *   current: string, inputs: string[], isReplay: boolean }} */
const task = JSON.parse(readFileSync(0, 'utf8'))

const built = JSON.parse(readFileSync(path.join(task.folder, 'built.json'), 'utf8'))
const hits = new Uint8Array(Math.ceil(built.counters / 4) * 4)
globalThis[COUNTERS] = hits
// The code looks for it once, when it first needs it.
if (!LANES[task.lane].hasWebAssembly) delete globalThis.WebAssembly

/** Above this something is kept that should not be. Inputs, corpus and code take a tenth of it. */
const MAX_RESIDENT_BYTES = 1024 ** 3
const LOOK_AT_MEMORY_EVERY = 4096

const require = createRequire(path.join(task.folder, 'package.json'))
/** @type {{ target: import('./targets/choices.js').Target }} */
const { target } = require(`./fuzz/targets/${task.target}.js`)

const current = new CurrentInput(task.current, target.maxBytes + 1024 * 1024)
/** @type {Buffer} */
let running = Buffer.alloc(0)

const run = (input) => {
  if (engine.executions % LOOK_AT_MEMORY_EVERY === 0 && process.memoryUsage.rss() > MAX_RESIDENT_BYTES) {
    throw new Error(`the process has more than ${String(MAX_RESIDENT_BYTES)} bytes resident`)
  }
  return target.run(input)
}

const engine = new Engine({
  hits,
  run,
  before: (input) => {
    running = input
    current.write(input)
  },
  seed: task.seed,
  maxBytes: target.maxBytes,
  words: built.literals.map((text) => Buffer.from(text)),
})

function report(finding) {
  const loaded = Object.keys(require.cache).map((file) =>
    path.relative(task.folder, file).replaceAll(path.sep, '/'),
  )
  const ranges = loaded.map((file) => built.ranges[file.replace(/\.js$/, '.ts')] ?? [0, 0])
  const result = {
    executions: engine.executions,
    places: engine.places,
    allPlaces: ranges.reduce((sum, [from, to]) => sum + to - from, 0),
    features: engine.features,
    kept: engine.kept,
    corpus: engine.corpus.map((input) => input.toString('hex')),
    finding:
      finding === null
        ? null
        : { input: finding.input.toString('hex'), error: finding.error.stack ?? String(finding.error) },
  }
  process.send(result, () => process.exit(finding === null ? 0 : 1))
}

// What is thrown outside of the call: in a callback, or in a promise that nobody waits for.
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (thrown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    report({ input: running, error })
  })
}

const inputs = task.inputs.map((digits) => Buffer.from(digits, 'hex'))
const end = task.seconds === null ? Infinity : performance.now() + task.seconds * 1000
const until = () =>
  task.isReplay ||
  performance.now() >= end ||
  (task.executions !== null && engine.executions >= task.executions)
report(await engine.fuzz(task.isReplay ? inputs : [...inputs, ...target.seeds()], { until }))
