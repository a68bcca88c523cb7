/**
 * Puts the tables of benchmarks/results/*.json, one file for each processor, into docs/performance.md, and those of
 * benchmarks/results/brokers and what follows from both into docs/scaling.md, between their markers.
 *
 * node benchmarks/fill-docs.mjs [--check]     --check: writes nothing, ends with 1 where a page is behind
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { brokerText, readBrokerResults } from './brokers/tables.mjs'
import { figureTable, planTable, readFigures } from './lib/capacity.mjs'
import { fillRegions, makeRegions } from './lib/doc-tables.mjs'
import { readAllResults } from './lib/read-results.mjs'

/** What is planned with comes from one processor: the one whose brokers were measured last. */
function makeScalingRegions(all, [brokers]) {
  const results = all.find(({ slug }) => slug === brokers.slug) ?? all[0]
  const figures = readFigures(results, brokers)
  return { brokers: brokerText(brokers), figures: figureTable(figures), plan: planTable(figures) }
}

async function fill(name, regions) {
  const page = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const text = await readFile(page, 'utf8')
  const options = { ...(await resolveConfig(page)), parser: 'markdown' }
  const filled = await format(fillRegions(text, regions, name), options)
  if (filled === text) {
    console.log(`${name} is as the results say`)
  } else if (process.argv.includes('--check')) {
    console.error(`${name} is behind the results: run node benchmarks/fill-docs.mjs`)
    process.exitCode = 1
  } else {
    await writeFile(page, filled)
    console.log(`${name} filled in`)
  }
}

const all = readAllResults()
const brokers = readBrokerResults()
if (all.length === 0 || brokers.length === 0) {
  console.error('there are no results yet: npm run bench, npm run bench:brokers')
  process.exitCode = 2
} else {
  await fill('docs/performance.md', makeRegions(all))
  await fill('docs/scaling.md', makeScalingRegions(all, brokers))
}
