/**
 * Puts the tables of benchmarks/results/*.json, one file for each processor, into docs/performance.md, and those of
 * benchmarks/results/brokers and what follows from both into docs/scaling.md, between their markers.
 *
 * node benchmarks/fill-docs.mjs [--check]     --check: writes nothing, ends with 1 where a page is behind
 */
import { brokerText, readBrokerResults } from './brokers/tables.mjs'
import { figureTable, planTable, readFigures } from './lib/capacity.mjs'
import { makeRegions } from './lib/doc-tables.mjs'
import { fillPage } from './lib/fill-page.mjs'
import { readAllResults } from './lib/read-results.mjs'

/** What is planned with comes from one processor: the one whose brokers were measured last. */
function makeScalingRegions(all, [brokers]) {
  const results = all.find(({ slug }) => slug === brokers.slug) ?? all[0]
  const figures = readFigures(results, brokers)
  return { brokers: brokerText(brokers), figures: figureTable(figures), plan: planTable(figures) }
}

const HOW = {
  isCheck: process.argv.includes('--check'),
  command: 'node benchmarks/fill-docs.mjs',
  kind: 'bench',
}
const all = readAllResults()
const brokers = readBrokerResults()
if (all.length === 0 || brokers.length === 0) {
  console.error('there are no results yet: npm run bench, npm run bench:brokers')
  process.exitCode = 2
} else {
  await fillPage('docs/performance.md', makeRegions(all), HOW)
  await fillPage('docs/scaling.md', makeScalingRegions(all, brokers), HOW)
}
