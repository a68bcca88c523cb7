/** Measures the rows of a plan, one after another. */
import { floorOf } from '../floors.mjs'
import { findContender, runsInNode } from './contenders.mjs'
import { NODES } from './nodes.mjs'
import { watch } from './quiet.mjs'
import { formatRow, progress } from './report.mjs'
import { summarize } from './statistics.mjs'
import { judge } from './verdict.mjs'

const keyOf = ({ name, node }) => `${name}@${node}`

/** Collects the figures of the runs of one row, and why a run could not be made. */
class Collected {
  /** By row (a micro benchmark gives several), by run. */
  #figures = new Map()
  #failures = new Map()

  hasFailed(run) {
    return this.#failures.has(keyOf(run))
  }

  fail(run, error, isAbsent) {
    this.#failures.set(keyOf(run), { error, ...(isAbsent ? { isAbsent: true } : {}) })
  }

  add(run, figuresByRow, othersShare) {
    for (const [row, figures] of Object.entries(figuresByRow)) {
      if (!this.#figures.has(row)) this.#figures.set(row, new Map())
      const byRun = this.#figures.get(row)
      const key = keyOf(run)
      byRun.set(key, [
        ...(byRun.get(key) ?? []),
        { ...figures, ...(othersShare === undefined ? {} : { othersShare }) },
      ])
    }
  }

  /** @returns by row, a function that gives the summary of a run, or undefined */
  summaries(name) {
    if (this.#figures.size === 0) this.#figures.set(name, new Map())
    return new Map(
      [...this.#figures].map(([row, byRun]) => [
        row,
        (run) => {
          const figures = byRun.get(keyOf(run))
          return this.#failures.get(keyOf(run)) ?? (figures && summarize(figures))
        },
      ]),
    )
  }
}

async function measureOnce(run, workload, measureRun, collected) {
  try {
    const isAlone = workload.kind !== 'idle'
    const { result, othersShare } = isAlone
      ? await watch(() => measureRun(run))
      : { result: await measureRun(run) }
    collected.add(run, result, othersShare)
  } catch (error) {
    collected.fail(run, error.message, error.isAbsent)
  }
}

/** Runs every contender of a row, the order turned round by round. One that fails is asked no more, and says why. */
async function measureRow({ workload, runs, rounds }, measureRun) {
  const collected = new Collected()
  for (const run of runs) {
    const { absent } = findContender(run.name, run.node)
    if (absent !== null) collected.fail(run, `absent: ${absent}`, true)
  }
  if (workload.kind === 'idle') {
    progress(`${workload.name}: all contenders, side by side`)
    await Promise.all(
      runs
        .filter((run) => !collected.hasFailed(run))
        .map((run) => measureOnce(run, workload, measureRun, collected)),
    )
  } else {
    for (let round = 0; round < rounds; round++) {
      for (const run of round % 2 === 0 ? runs : [...runs].reverse()) {
        if (collected.hasFailed(run)) continue
        progress(`${workload.name}: round ${round + 1} of ${rounds}, ${run.name}, ${NODES[run.node].version}`)
        await measureOnce(run, workload, measureRun, collected)
      }
    }
  }
  progress('')
  return collected.summaries(workload.name)
}

/** The rows of what was measured, one for each Node; what runs without Node stands in each. */
export function splitByNode(name, workload, runs, summaryOf, quick) {
  const nodes = [...new Set(runs.map(({ node }) => node))]
  return nodes.flatMap((node) => {
    const own = runs
      .filter((run) => run.node === node || !runsInNode(run.name))
      .sort((a, b) => workload.contenders.indexOf(a.name) - workload.contenders.indexOf(b.name))
    const contenders = Object.fromEntries(
      own.map((run) => [run.name, summaryOf(run)]).filter(([, summary]) => summary),
    )
    const { kind, unit, lowerIsBetter = false } = workload
    const row = { name, node, kind, unit, lowerIsBetter, contenders }
    // A quick run has the newest Node run without the others: there is nothing to compare with.
    const isCompared = !quick || runs.some((run) => run.node === node && run.name === 'ws')
    const floor = isCompared ? floorOf(name, node) : undefined
    return [{ ...row, floor, verdict: judge(row, floor) }]
  })
}

/** Measures all rows of a plan, and prints each as soon as it is measured. @returns the rows, judged */
export async function measureAll(plan, how) {
  const { measure } = await import('./measure.mjs')
  const done = []
  for (const row of plan) {
    const { workload, runs } = row
    const measured = await measureRow(row, ({ name, node }) => measure(name, node, workload, how))
    for (const [name, summaryOf] of measured) {
      for (const one of splitByNode(name, workload, runs, summaryOf, how.quick)) {
        done.push(one)
        console.log(formatRow({ ...one, node: NODES[one.node].version }, one.floor, one.verdict))
      }
    }
  }
  return done
}
