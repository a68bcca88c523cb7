/** Runs a worker to its end. One that hangs is killed, one that dies is replaced: the mutant at hand has failed its test. */
import { spawn } from 'node:child_process'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ledger } from './ledger.mjs'

const WORKER = fileURLToPath(new URL('../worker/worker.mjs', import.meta.url))
const WATCH_MS = 300
/** A longer time between two looks is one in which all of this was stopped, or had no turn: it does not count. */
const GAP_MS = 3_000
/** A mutant that takes memory without an end dies early, and takes nothing from other programs. */
const HEAP_MIB = 2048
const LAST_LINES = 20

/** @returns {Promise<{ code: number | null, hung: boolean }>} */
function runWorker(plan, planFile, log, onTick) {
  const output = openSync(log, 'w')
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${String(HEAP_MIB)}`, '--no-warnings', WORKER, planFile],
    {
      cwd: plan.sandbox,
      stdio: ['ignore', output, output],
      env: { ...process.env, NODE_ENV: 'test', FORCE_COLOR: '0', NODE_OPTIONS: '' },
    },
  )
  closeSync(output)
  return new Promise((resolve, reject) => {
    let hung = false
    const watch = setInterval(() => {
      if (!onTick() || hung) return
      hung = true
      child.kill('SIGKILL')
    }, WATCH_MS)
    child.once('error', reject)
    child.once('close', (code) => {
      clearInterval(watch)
      resolve({ code, hung })
    })
  })
}

/**
 * @param {{ sandbox: string, files: string[], mutants: string[], deadline: number | null, hangMs?: number, name: string }} plan
 * @param {(ledger: Ledger) => void} onProgress called again and again
 * @returns {Promise<Ledger>} what is known at the end
 * @throws {Error} where a test fails without a mutant
 */
export async function supervise(plan, onProgress) {
  const planFile = path.join(plan.sandbox, `plan-${plan.name}.json`)
  const ledgerFile = path.join(plan.sandbox, `ledger-${plan.name}.jsonl`)
  const log = path.join(plan.sandbox, `log-${plan.name}.txt`)
  await writeFile(planFile, JSON.stringify({ ...plan, ledger: ledgerFile }))
  const ledger = new Ledger(ledgerFile)
  let lookedAt = Date.now()
  let lostMs = 0
  let last = null
  const isOverdue = () => {
    ledger.read()
    onProgress(ledger)
    const now = Date.now()
    const gapMs = now - lookedAt
    lookedAt = now
    if (ledger.trying !== last) lostMs = 0
    // What is tried may have begun shortly before the gap.
    if (gapMs > GAP_MS) lostMs += gapMs
    last = ledger.trying
    return last !== null && now > last.until + lostMs
  }
  for (;;) {
    const { code, hung } = await runWorker(plan, planFile, log, isOverdue)
    ledger.read()
    if (code === 0 && !hung) return ledger
    const { trying } = ledger
    if (trying === null || trying.mutant === null) {
      const text = readFileSync(log, 'utf8').trim().split('\n').slice(-LAST_LINES).join('\n')
      throw new Error(hung ? `${String(trying.by)} does not end without a mutant` : text)
    }
    ledger.decide(trying.mutant, hung ? 'timeout' : 'crashed', trying.by)
    ledger.write({ kind: 'idle' })
  }
}
