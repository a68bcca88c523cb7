/** Puts what was measured into a page of the docs, between its markers. */
import { readFile, writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'
import { fillRegions } from './doc-tables.mjs'
import { here } from './contenders.mjs'

/**
 * Fills a page in, and says so. With `isCheck` it writes nothing, and sets the exit code 1 where the page is behind.
 * @param name of the page, from the root of the project
 * @param regions what stands between each pair of markers
 * @param how `{ isCheck, command, kind }`: `command` fills the page in; `kind` is the first part of its markers
 */
export async function fillPage(name, regions, { isCheck, command, kind }) {
  const page = here(`../${name}`)
  const text = await readFile(page, 'utf8')
  const options = { ...(await resolveConfig(page)), parser: 'markdown' }
  const filled = await format(fillRegions(text, regions, name, kind), options)
  if (filled === text) {
    console.log(`${name} is as the results say`)
  } else if (isCheck) {
    console.error(`${name} is behind the results: run ${command}`)
    process.exitCode = 1
  } else {
    await writeFile(page, filled)
    console.log(`${name} filled in`)
  }
}
