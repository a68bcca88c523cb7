/** The results that are there: a file for each processor. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const FOLDER = fileURLToPath(new URL('../results', import.meta.url))

/** A row that takes too long for a whole run is measured by itself, and its results are in a folder of their own. */
const ALONE = 'alone'

const withNode = (rows) => rows.map((row) => ({ node: 'this', ...row }))
const readResults = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** Rows that were measured by themselves: `{ name, date, commit }` of each, and the rows. */
function readAlone(file) {
  if (!existsSync(file)) return { alone: [], rows: [] }
  const { date, commit, rows } = readResults(file)
  return { alone: rows.map(({ name }) => ({ name, date, commit })), rows: withNode(rows) }
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
      const isMissing = ({ name }) => !rows.some((row) => row.name === name)
      return {
        ...results,
        slug: file.slice(0, -'.json'.length),
        nodes,
        alone: alone.filter(isMissing),
        rows: [...withNode(rows), ...more.filter(isMissing)],
      }
    })
    .sort((a, b) => (a.date < b.date ? 1 : a.date > b.date ? -1 : 0))
}
