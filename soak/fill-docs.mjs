/**
 * Puts the tables of soak/results/*.json, a file for each processor, into docs/robustness.md, between its markers: those of the processor
 * that was measured last.
 *
 * node soak/fill-docs.mjs [--check]     --check: writes nothing, ends with 1 where the page is behind
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fillPage } from '../benchmarks/lib/fill-page.mjs'
import { readAllResults } from '../benchmarks/lib/read-results.mjs'
import { makeRegions } from './lib/tables.mjs'
import { REASONS } from './reasons.mjs'

const FOLDER = fileURLToPath(new URL('./results', import.meta.url))
const HOW = { isCheck: process.argv.includes('--check'), command: 'node soak/fill-docs.mjs', kind: 'soak' }

const [last] = existsSync(FOLDER) ? readAllResults(FOLDER) : []
if (last === undefined) {
  console.error('there are no results yet: npm run soak')
  process.exitCode = 2
} else {
  await fillPage('docs/robustness.md', makeRegions(last, REASONS), HOW)
}
