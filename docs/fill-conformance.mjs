/**
 * Puts the table of autobahn/RESULTS.md into docs/conformance.md, between `<!-- autobahn -->` and `<!-- /autobahn -->`.
 *
 * node docs/fill-conformance.mjs [--check]     --check: writes nothing, ends with 1 where the page is out of date
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

const PAGE = fileURLToPath(new URL('conformance.md', import.meta.url))
const RESULTS = new URL('../autobahn/RESULTS.md', import.meta.url)
const REGION = /(?<=^<!-- autobahn -->\n)[\s\S]*(?=^<!-- \/autobahn -->$)/m

/** The table of the results, and the versions below it; null where no complete run was committed. */
async function readResults() {
  const text = await readFile(RESULTS, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const lines = text.split('\n')
  const table = lines.filter((line) => line.startsWith('|'))
  const versions = lines.filter((line) => /^- .*, Node \d/.test(line))
  if (table.length < 3 || versions.length === 0)
    throw new Error('autobahn/RESULTS.md has no table or no versions')
  return [...table, '', ...versions].join('\n')
}

const results = await readResults()
const page = await readFile(PAGE, 'utf8')
if (!REGION.test(page)) throw new Error('docs/conformance.md has lost its autobahn comments')
const text =
  results === null
    ? 'No complete run is committed yet.'
    : `${results}\n\nWritten from [autobahn/RESULTS.md](../autobahn/RESULTS.md), which lists every case that is not OK. The
times are those of single runs and are not a benchmark.`
const filled = await format(
  page.replace(REGION, () => `\n${text}\n\n`),
  {
    ...(await resolveConfig(PAGE)),
    parser: 'markdown',
  },
)
if (filled === page) {
  console.log('docs/conformance.md is as autobahn/RESULTS.md says')
} else if (process.argv.includes('--check')) {
  console.error('docs/conformance.md is behind autobahn/RESULTS.md: run node docs/fill-conformance.mjs')
  process.exitCode = 1
} else {
  await writeFile(PAGE, filled)
  console.log('docs/conformance.md filled in')
}
