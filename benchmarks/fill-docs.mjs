/**
 * Puts the tables of benchmarks/results/*.json, one file for each processor, into docs/performance.md, between its markers.
 *
 * node benchmarks/fill-docs.mjs [--check]     --check: writes nothing, ends with 1 where the page is behind
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { fillRegions, makeRegions } from './lib/doc-tables.mjs'
import { readAllResults } from './lib/read-results.mjs'

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url))

const all = readAllResults()
if (all.length === 0) {
  console.error('there are no results yet: npm run bench')
  process.exitCode = 2
} else {
  const page = await readFile(PAGE, 'utf8')
  const filled = await format(fillRegions(page, makeRegions(all)), {
    ...(await resolveConfig(PAGE)),
    parser: 'markdown',
  })
  if (filled === page) {
    console.log('docs/performance.md is as the results say')
  } else if (process.argv.includes('--check')) {
    console.error('docs/performance.md is behind the results: run node benchmarks/fill-docs.mjs')
    process.exitCode = 1
  } else {
    await writeFile(PAGE, filled)
    console.log('docs/performance.md filled in')
  }
}
