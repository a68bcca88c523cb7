/** The scores that are committed, and their table in docs/mutation.md. */
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'

const RESULTS = 'mutation/results.json'
const PAGE = 'docs/mutation.md'
const REGION = /(?<=^<!-- mutation -->\n)[\s\S]*(?=^<!-- \/mutation -->$)/m

/** What a folder is to reach, in per cent. */
export const LEAST_SCORE = 90

/** @param {string} root @returns {Record<string, object>} by folder, `src/frame` */
export function readResults(root) {
  const file = path.join(root, RESULTS)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

/** @param {string} root @returns {import('./judge.mjs').Row[]} */
export const readRows = (root) => JSON.parse(readFileSync(path.join(root, 'mutation/survivors.json'), 'utf8'))

/** @param {Record<string, object>} results @returns {string} */
function tableOf(results) {
  if (Object.keys(results).length === 0) return 'No folder has been measured as a whole.'
  const rows = Object.entries(results).map(
    ([folder, { mutants, killed, timeouts, listed, score, date }]) =>
      `| \`${folder}\` | ${String(mutants)} | ${String(killed)} | ${String(timeouts)} | ${String(listed)} | ${score.toFixed(1)} % | ${date} |`,
  )
  return [
    '| folder | mutants | killed | of these by time | explained | score | measured |',
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows,
  ].join('\n')
}

/** @param {string} root @param {Record<string, object>} results @returns {Promise<string>} the page as it is to be */
export async function pageOf(root, results) {
  const file = path.join(root, PAGE)
  const page = readFileSync(file, 'utf8')
  if (!REGION.test(page)) throw new Error(`${PAGE} has lost its mutation comments`)
  const text = page.replace(REGION, () => `\n${tableOf(results)}\n\n`)
  return await format(text, { ...(await resolveConfig(file)), parser: 'markdown' })
}

/** @param {string} root @param {Record<string, object>} results of the folders that were run now */
export async function writeResults(root, results) {
  const all = Object.entries({ ...readResults(root), ...results }).sort(([one], [other]) =>
    one < other ? -1 : 1,
  )
  const merged = Object.fromEntries(all)
  await writeFile(path.join(root, RESULTS), `${JSON.stringify(merged, null, 2)}\n`)
  await writeFile(path.join(root, PAGE), await pageOf(root, merged))
}
