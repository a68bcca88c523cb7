/**
 * `node drive.mjs hawser|ws handle|stream URL AGENT`: the contender's client goes through all cases of the suite that listens at URL,
 * one after another, as a child of the runner, which is told `{ done, total }`.
 */
import { loadContender } from './load.mjs'

const [name, way, url, agent] = process.argv.slice(2)
const query = `agent=${encodeURIComponent(agent ?? '')}`

/** So many cases in a row to which no connection could be opened mean that the suite is gone. */
const MAX_REFUSED_IN_A_ROW = 3

process.once('disconnect', () => process.exit())
const contender = await loadContender(name, way)
const total = Number(await contender.readText(`${url}/getCaseCount`))
let refused = 0
for (let number = 1; number <= total; number++) {
  process.send?.({ done: number - 1, total })
  try {
    await contender.echo(`${url}/runCase?case=${number}&${query}`)
    refused = 0
  } catch (error) {
    console.error(`case number ${number}:`, error)
    if (++refused === MAX_REFUSED_IN_A_ROW) throw error
  }
}
process.send?.({ done: total, total })
await contender.echo(`${url}/updateReports?${query}`)
process.exit()
