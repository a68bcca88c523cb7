import { setTimeout as sleep } from 'node:timers/promises'
import { childEnded, stopChild } from './children.mjs'
import { findFreePort, waitForPort } from './ports.mjs'
import { RunFolder } from './run-folder.mjs'
import { fuzzingServerSpec } from './specs.mjs'
import { startContender } from './start-contender.mjs'
import { Stop } from './stop.mjs'
import { Watchdog } from './watchdog.mjs'

/**
 * Judges the contender's client: the suite listens, and the client goes through the cases by number.
 * @param {import('./run-server-role.mjs').RoleRun} run
 * @returns {Promise<{ results: import('./run-folder.mjs').CaseResults, seconds: number }>}
 * @throws Stop where the suite hangs, or either side ends early
 */
export async function runClientRole({ contender, way, suite, cases, dir, stallMs, onProgress }) {
  const folder = new RunFolder(dir)
  let current = 'before the first case'
  const watchdog = new Watchdog(stallMs, () => `(${current}; see ${folder.show('wstest.log')})`)
  const url = `ws://127.0.0.1:${await findFreePort()}`
  const spec = fuzzingServerSpec({ url, outdir: suite.outdir(dir), cases })
  const wstest = folder.startSuite(suite, 'fuzzingserver', spec, (line) => {
    const id = /^Running test case ID ([\d.]+) /.exec(line)?.[1]
    if (id !== undefined) current = `in case ${id}`
  })
  const suiteGone = childEnded(wstest).then(({ how }) => {
    throw new Stop(`the suite ended (${how}) ${current}: see ${folder.show('wstest.log')}`)
  })
  suiteGone.catch(() => {}) // it is also ended on purpose, when nobody waits for this any more
  const finished = new AbortController()
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let client
  try {
    const listening = waitForPort(Number(new URL(url).port), finished.signal)
    await Promise.race([listening, suiteGone, watchdog.expired])
    const startedAt = performance.now()
    client = startContender('drive', [contender, way, url, contender], dir, (message) => {
      watchdog.touch()
      onProgress(message.done, message.total)
    })
    const end = await Promise.race([childEnded(client), suiteGone, watchdog.expired])
    if (!end.ok) {
      throw new Stop(
        `the client of ${contender} ended (${end.how}) ${current}: see ${folder.show('contender.log')}`,
      )
    }
    const results = await waitForResults(folder, contender, [suiteGone, watchdog.expired])
    return { results, seconds: (performance.now() - startedAt) / 1000 }
  } finally {
    finished.abort()
    watchdog.clear()
    if (client !== undefined) stopChild(client)
    stopChild(wstest)
  }
}

/**
 * @param {RunFolder} folder
 * @param {string} agent
 * @param {Promise<never>[]} failures
 */
async function waitForResults(folder, agent, failures) {
  for (;;) {
    const results = folder.readResults(agent)
    if (results !== null) return results
    await Promise.race([sleep(100), ...failures])
  }
}
