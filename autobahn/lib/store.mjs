import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareCaseIds } from './cases.mjs'
import { AUTOBAHN_DIR } from './paths.mjs'

/** @typedef {import('./run-folder.mjs').CaseResults} CaseResults */
/** @typedef {import('./report.mjs').RunRecord} RunRecord */
/** @typedef {import('./options.mjs').RoleName} RoleName */

/** @param {string} name */
function readJson(name) {
  const path = join(AUTOBAHN_DIR, name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null
}

/** @returns {RunRecord | null} the committed results of `ws` */
export function readWsRecord() {
  return readJson('results-ws.json')
}

/**
 * What is expected: for Hawser what it should do, for `ws` what it did when its results were committed.
 * @param {string} contender
 * @param {RoleName} role
 * @returns {CaseResults | null}
 */
export function readExpected(contender, role) {
  if (contender === 'ws') return readWsRecord()?.roles[role]?.cases ?? null
  return readJson(`expected-${role}.json`)
}

/**
 * @param {CaseResults} cases
 * @param {string} indent
 * @returns {string} JSON with one line for each case, so that a diff shows cases
 */
export function formatCases(cases, indent = '') {
  const ids = Object.keys(cases).sort(compareCaseIds)
  const lines = ids.map((id) => {
    const fields = Object.entries(cases[id] ?? {}).map(
      ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
    )
    return `${indent}  ${JSON.stringify(id)}: { ${fields.join(', ')} }`
  })
  return `{\n${lines.join(',\n')}\n${indent}}`
}

/**
 * @param {RunRecord} record
 * @returns {string} JSON, with one line for each case
 */
export function formatRecord({ roles, ...head }) {
  const fields = Object.entries(head).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  )
  const parts = Object.entries(roles).map(
    ([role, { seconds, cases }]) =>
      `    ${JSON.stringify(role)}: {\n      "seconds": ${Math.round(seconds)},\n      "cases": ${formatCases(cases, '      ')}\n    }`,
  )
  return `{\n${fields.join('')}  "roles": {\n${parts.join(',\n')}\n  }\n}\n`
}

/**
 * Writes what happened as what is expected from now on.
 * @param {RunRecord} record a complete run, of one role or both
 * @returns {string[]} the names of the files written
 */
export function writeExpected(record) {
  if (record.contender === 'ws') {
    const roles = { ...readWsRecord()?.roles, ...record.roles }
    writeFileSync(join(AUTOBAHN_DIR, 'results-ws.json'), formatRecord({ ...record, roles }))
    return ['results-ws.json']
  }
  return Object.entries(record.roles).map(([role, { cases }]) => {
    const name = `expected-${role}.json`
    writeFileSync(join(AUTOBAHN_DIR, name), `${formatCases(cases)}\n`)
    return name
  })
}

/** @param {string} text the page of results, Markdown */
export function writeResultsPage(text) {
  writeFileSync(join(AUTOBAHN_DIR, 'RESULTS.md'), text)
}
