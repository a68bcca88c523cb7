/** The results that are there: a file for each processor. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const FOLDER = fileURLToPath(new URL('../results', import.meta.url))

/** The results of every processor, the last measured first. Those of one Node alone have none in their rows. */
export function readAllResults(folder = FOLDER) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const results = JSON.parse(readFileSync(path.join(folder, file), 'utf8'))
      const { nodes = { this: results.node }, rows } = results
      return {
        ...results,
        slug: file.slice(0, -'.json'.length),
        nodes,
        rows: rows.map((row) => ({ node: 'this', ...row })),
      }
    })
    .sort((a, b) => (a.date < b.date ? 1 : a.date > b.date ? -1 : 0))
}
