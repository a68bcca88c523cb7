#!/usr/bin/env node
/** `npm run autobahn`: the Autobahn suite against Hawser's server and client. See README.md in this folder. */
import { join } from 'node:path'
import { SAMPLE_PATTERNS, selectCases } from './lib/cases.mjs'
import { compareResults } from './lib/compare.mjs'
import { findSuite } from './lib/find-suite.mjs'
import { HELP, parseOptions } from './lib/options.mjs'
import { REPORTS_DIR, VENV_DIR } from './lib/paths.mjs'
import { prepareContender } from './lib/prepare-contender.mjs'
import { Progress } from './lib/progress.mjs'
import { formatMarkdown, formatSummary } from './lib/report.mjs'
import { runClientRole } from './lib/run-client-role.mjs'
import { runServerRole } from './lib/run-server-role.mjs'
import { Stop } from './lib/stop.mjs'
import { readExpected, readWsRecord, writeExpected, writeResultsPage } from './lib/store.mjs'

/** Above the 480 s after which the suite itself gives up a case of 12 and 13: its verdict is worth more than ours. */
const STALL_MS = 10 * 60_000

/** @typedef {import('./lib/options.mjs').RunOptions} RunOptions */
/** @typedef {import('./lib/report.mjs').RunRecord} RunRecord */

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`)
}

/** @param {Pick<RunOptions, 'contender' | 'stream'>} options @returns {string} the name of the folder of reports */
function reportsOf({ contender, stream }) {
  return stream ? `${contender}-stream` : contender
}

/**
 * Runs the chosen roles side by side. A role that fails does not end the other: both are worth knowing.
 * @param {RunOptions} options
 * @param {import('./lib/find-suite.mjs').Suite} suite
 * @param {readonly string[]} selected
 */
async function runRoles({ roles, contender, patterns, sample, stream }, suite, selected) {
  const complete = patterns.length === 0 && !sample
  const progress = new Progress(process.stdout)
  const runs = roles.map((role) => {
    const run = role === 'server' ? runServerRole : runClientRole
    return run({
      contender,
      way: stream ? 'stream' : 'handle',
      suite,
      cases: complete ? ['*'] : selected,
      total: selected.length,
      dir: join(REPORTS_DIR, reportsOf({ contender, stream }), complete ? role : `${role}-partial`),
      stallMs: STALL_MS,
      onProgress: (done, total) => {
        progress.update(role, done, total)
      },
    })
  })
  const outcomes = await Promise.allSettled(runs)
  progress.close()
  /** @type {RunRecord['roles']} */
  const found = {}
  /** @type {string[]} */
  const failures = []
  outcomes.forEach((outcome, index) => {
    const role = /** @type {'server' | 'client'} */ (roles[index])
    if (outcome.status === 'fulfilled')
      found[role] = { seconds: outcome.value.seconds, cases: outcome.value.results }
    else if (outcome.reason instanceof Stop) failures.push(`${role}: ${outcome.reason.message}`)
    else throw outcome.reason
  })
  return { complete, found, failures }
}

/**
 * @param {RunRecord} record
 * @param {readonly string[]} selected
 * @returns {string[]} one line for each drift
 */
function findDrift(record, selected) {
  return Object.entries(record.roles).flatMap(([name, { cases }]) => {
    const role = /** @type {'server' | 'client'} */ (name)
    const expected = readExpected(record.contender, role)
    if (expected === null) {
      return [
        `${role}: nothing is committed to compare with: a complete run with --update-expected writes it`,
      ]
    }
    return compareResults(expected, cases, selected).map(
      (drift) => `${role} ${drift.id} ${drift.kind}: expected ${drift.expected}, got ${drift.actual}`,
    )
  })
}

/** @param {RunOptions} options @returns {Promise<number>} the exit status */
async function main(options) {
  const known = Object.keys(readExpected('hawser', 'server') ?? {})
  const selected = selectCases(known, options.sample ? SAMPLE_PATTERNS : options.patterns)
  const version = await prepareContender(options.contender, print)
  const suite = await findSuite({ env: process.env, venvDir: VENV_DIR, log: print })
  const amount = selected.length === 1 ? '1 case' : `${selected.length} cases`
  const way = options.stream ? ' by stream' : ''
  print(`${options.contender} ${version}${way}, ${options.roles.join(' and ')}, ${amount}, ${suite.version}`)
  const { complete, found, failures } = await runRoles(options, suite, selected)
  /** @type {RunRecord} */
  const record = {
    contender: options.contender,
    version,
    suite: suite.version,
    node: process.versions.node,
    zlib: process.versions.zlib,
    date: new Date().toISOString().slice(0, 10),
    roles: found,
  }
  print(formatSummary(record))
  for (const role of Object.keys(found)) {
    print(`report: autobahn/reports/${reportsOf(options)}/${complete ? role : `${role}-partial`}/index.html`)
  }
  const whole = complete && failures.length === 0
  const written = whole && options.updateExpected
  if (written) print(`written as the new expectation: ${writeExpected(record).join(', ')}`)
  if (whole && options.contender === 'hawser' && !options.stream && options.roles.length === 2) {
    writeResultsPage(formatMarkdown(record, readWsRecord()))
    print('written: autobahn/RESULTS.md')
  }
  const problems = written ? [] : [...failures, ...findDrift(record, selected)]
  if (problems.length > 0) print(`not as expected (${problems.length}):`)
  else if (!written) print('as expected')
  for (const problem of problems) print(`  ${problem}`)
  return problems.length === 0 ? 0 : 1
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) print(HELP)
  else process.exitCode = await main(options)
} catch (error) {
  if (!(error instanceof Stop)) throw error
  process.stderr.write(`autobahn: ${error.message}\n`)
  process.exitCode = error.exitCode
}
