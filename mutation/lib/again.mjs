/** A run that goes on from the report of one before: for tests that were added, with sources and other tests as they were. */
import { readFileSync } from 'node:fs'
import { keyOf } from './judge.mjs'

/** @typedef {import('./instrument.mjs').Mutant & { status: string, by: string | null }} Outcome */

/** @param {string} file @returns {Outcome[]} @throws {RangeError} for a file that is not a report */
export function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    if (Array.isArray(report)) return report
  } catch (error) {
    throw new RangeError(`--again ${file}: ${error.message}`)
  }
  throw new RangeError(`--again ${file}: it is not a report`)
}

/**
 * What was killed by a test stays killed. What was killed by time may have been so since the machine was slow: it is tried again.
 * @template {import('./instrument.mjs').Mutant} T
 * @param {readonly T[]} mutants
 * @param {readonly Outcome[] | null} report null: none is known
 * @returns {{ known: (T & { status: string, by: string | null })[], open: T[] }} each mutant in one of the two. Several that
 *   look the same are known only where the report has each as killed
 */
export function divide(mutants, report) {
  const killed = new Map()
  for (const { status, by, ...mutant } of report ?? []) {
    const key = keyOf(mutant)
    if (status !== 'killed') killed.set(key, null)
    else if (killed.get(key) !== null) killed.set(key, [...(killed.get(key) ?? []), by])
  }
  const known = []
  const open = []
  for (const mutant of mutants) {
    const by = killed.get(keyOf(mutant))?.shift()
    if (by === undefined) open.push(mutant)
    else known.push({ ...mutant, status: 'killed', by })
  }
  return { known, open }
}
