/** The results that are there: a file for each processor. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const FOLDER = fileURLToPath(new URL('../results', import.meta.url))

/** A row that takes too long for a whole run is measured by itself, and its results are in a folder of their own. */
const ALONE = 'alone'

const withNode = (rows) => rows.map((row) => ({ node: 'this', ...row }))
const readResults = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** Rows that were measured by themselves: the rows, and of each `{ name, node, date, commit, changed, isQuiet, version }`. */
function readAlone(file) {
  if (!existsSync(file)) return { alone: [], rows: [] }
  const { date, commit, changed, quiet, nodes, rows: raw } = readResults(file)
  const rows = withNode(raw)
  const isQuiet = quiet?.noisyRows?.length === 0
  const alone = rows.map(({ name, node }) => ({
    ...{ name, node, date, commit, changed, isQuiet, version: nodes?.[node] ?? null },
  }))
  return { alone, rows }
}

/** The results of every processor, the last measured first. Those of one Node alone have none in their rows. */
export function readAllResults(folder = FOLDER) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const results = readResults(path.join(folder, file))
      const { nodes = { this: results.node }, rows } = results
      const { alone, rows: more } = readAlone(path.join(folder, ALONE, file))
      const own = withNode(rows)
      const isMissing = ({ name, node }) => !own.some((row) => row.name === name && row.node === node)
      return {
        ...results,
        slug: file.slice(0, -'.json'.length),
        nodes,
        alone: alone.filter(isMissing),
        rows: [...own, ...more.filter(isMissing)],
      }
    })
    .sort((a, b) => (a.date < b.date ? 1 : a.date > b.date ? -1 : 0))
}
