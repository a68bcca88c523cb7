import { childEnded, stopChild } from './children.mjs'
import { RunFolder } from './run-folder.mjs'
import { fuzzingClientSpec } from './specs.mjs'
import { startContender } from './start-contender.mjs'
import { Stop } from './stop.mjs'
import { Watchdog } from './watchdog.mjs'

/**
 * One role of one run.
 * @typedef {object} RoleRun
 * @property {string} contender
 * @property {import('./contenders/load.mjs').Way} way by which it moves bytes
 * @property {import('./find-suite.mjs').Suite} suite
 * @property {readonly string[]} cases what the spec says: ids, or `*`
 * @property {number} total how many cases that is, as far as known beforehand
 * @property {string} dir where spec, reports and logs are kept
 * @property {number} stallMs how long a single case may last
 * @property {(done: number, total: number) => void} onProgress
 */

/**
 * Judges the contender's server: the suite connects to it, once for each case, and ends by itself.
 * @param {RoleRun} run
 * @returns {Promise<{ results: import('./run-folder.mjs').CaseResults, seconds: number }>}
 * @throws Stop where the suite hangs, or either side ends early
 */
export async function runServerRole({ contender, way, suite, cases, total, dir, stallMs, onProgress }) {
  const folder = new RunFolder(dir)
  let begun = 0
  let current = 'before the first case'
  const watchdog = new Watchdog(stallMs, () => `(${current}; see ${folder.show('wstest.log')})`)
  /** @type {(port: number) => void} */
  let listening = () => {}
  /** @type {Promise<number>} */
  const port = new Promise((resolve) => {
    listening = resolve
  })
  const server = startContender('serve', [contender, way], dir, (message) => {
    listening(message.port)
  })
  const serverGone = childEnded(server).then(({ how }) => {
    throw new Stop(
      `the server of ${contender} ended (${how}) ${current}: see ${folder.show('contender.log')}`,
    )
  })
  serverGone.catch(() => {}) // it is also ended on purpose, when nobody waits for this any more
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let wstest
  try {
    const url = `ws://127.0.0.1:${await Promise.race([port, serverGone, watchdog.expired])}`
    const startedAt = performance.now()
    const spec = fuzzingClientSpec({ url, agent: contender, outdir: suite.outdir(dir), cases })
    wstest = folder.startSuite(suite, 'fuzzingclient', spec, (line) => {
      const id = /^Running test case ID ([\d.]+) /.exec(line)?.[1]
      if (id === undefined) return
      current = `in case ${id}`
      watchdog.touch()
      onProgress(begun++, total)
    })
    const { how } = await Promise.race([childEnded(wstest), serverGone, watchdog.expired])
    onProgress(begun, total)
    const results = folder.readResults(contender)
    if (results === null) {
      throw new Stop(`the suite ended (${how}) ${current} without a report: see ${folder.show('wstest.log')}`)
    }
    return { results, seconds: (performance.now() - startedAt) / 1000 }
  } finally {
    watchdog.clear()
    if (wstest !== undefined) stopChild(wstest)
    stopChild(server)
  }
}
