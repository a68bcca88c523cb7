import { compareCaseIds } from './cases.mjs'
import { showResult } from './compare.mjs'
import { showDuration } from './progress.mjs'

/** @typedef {import('./run-folder.mjs').CaseResults} CaseResults */

/**
 * What a run found; in this shape it is also committed for `ws` (results-ws.json).
 * @typedef {object} RunRecord
 * @property {string} contender
 * @property {string} version of the contender
 * @property {string} suite
 * @property {string} node
 * @property {string} zlib
 * @property {string} date `2026-11-21`
 * @property {Partial<Record<'server' | 'client', { seconds: number, cases: CaseResults }>>} roles
 */

const BEHAVIORS = ['OK', 'INFORMATIONAL', 'NON-STRICT', 'UNIMPLEMENTED', 'FAILED']

/**
 * @param {CaseResults} cases
 * @returns {Record<string, number>} how many cases showed each behaviour: the five that the suite has, and any other
 */
export function countBehaviors(cases) {
  /** @type {Record<string, number>} */
  const counts = Object.fromEntries(BEHAVIORS.map((behavior) => [behavior, 0]))
  for (const { behavior } of Object.values(cases)) counts[behavior] = (counts[behavior] ?? 0) + 1
  return counts
}

/**
 * @param {CaseResults} cases
 * @returns {{ id: string, shown: string }[]} every case whose behaviour, or whose behaviour at the close, is not OK
 */
export function listNotOk(cases) {
  return Object.entries(cases)
    .filter(([, { behavior, behaviorClose }]) => behavior !== 'OK' || (behaviorClose ?? 'OK') !== 'OK')
    .map(([id, result]) => ({ id, shown: showResult(result) }))
    .sort((a, b) => compareCaseIds(a.id, b.id))
}

/**
 * @param {RunRecord} record
 * @returns {('server' | 'client')[]} the roles that it has, in order
 */
function rolesOf(record) {
  return /** @type {const} */ (['server', 'client']).filter((role) => record.roles[role] !== undefined)
}

/** @param {RunRecord} record @param {'server' | 'client'} role */
function roleOf(record, role) {
  return record.roles[role] ?? { seconds: 0, cases: {} }
}

/**
 * @param {RunRecord} record
 * @returns {string} lines for a terminal
 */
export function formatSummary(record) {
  const lines = rolesOf(record).flatMap((role) => {
    const { cases, seconds } = roleOf(record, role)
    const counts = Object.entries(countBehaviors(cases)).filter(([, count]) => count > 0)
    const shown = counts.map(([behavior, count]) => `${count} ${behavior}`).join(', ')
    const notOk = listNotOk(cases).map((entry) => `  ${entry.id} ${entry.shown}`)
    return [`${record.contender} ${role}: ${shown} (${showDuration(seconds)})`, ...notOk]
  })
  return lines.join('\n')
}

/** @param {RunRecord} record */
function formatVersions({ version, suite, node, zlib, contender, date }) {
  return `${contender} ${version}, ${suite}, Node ${node}, zlib ${zlib}, ${date}`
}

/**
 * The page that is committed: a run beside that of another contender.
 * @param {RunRecord} own
 * @param {RunRecord | null} other
 * @returns {string}
 */
export function formatMarkdown(own, other) {
  const records = other === null ? [own] : [own, other]
  const rows = records.flatMap((record) =>
    rolesOf(record).map((role) => {
      const { cases, seconds } = roleOf(record, role)
      const counts = countBehaviors(cases)
      const cells = [
        record.contender,
        role,
        Object.keys(cases).length,
        ...BEHAVIORS.map((behavior) => counts[behavior]),
        showDuration(seconds),
      ]
      return `| ${cells.join(' | ')} |`
    }),
  )
  const lists = records.flatMap((record) => [
    `## Not OK: ${record.contender}`,
    '',
    ...formatNotOk(record),
    '',
  ])
  return [
    '# Autobahn results',
    '',
    'Written by `npm run autobahn` after each complete run; do not edit. How to read and repeat it: README.md here.',
    '',
    `| | role | cases | ${BEHAVIORS.join(' | ')} | time |`,
    `|---|---|${'---:|'.repeat(BEHAVIORS.length + 2)}`,
    ...rows,
    '',
    ...records.map((record) => `- ${formatVersions(record)}`),
    '',
    ...lists,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

/** @param {RunRecord} record */
function formatNotOk(record) {
  /** @type {Map<string, string[]>} */
  const rows = new Map()
  for (const role of rolesOf(record)) {
    for (const { id, shown } of listNotOk(roleOf(record, role).cases)) {
      rows.set(id, [...(rows.get(id) ?? []), `${role}: ${shown}`])
    }
  }
  if (rows.size === 0) return ['None.']
  const sorted = [...rows].sort(([a], [b]) => compareCaseIds(a, b))
  return sorted.map(([id, shown]) => `- ${id} (${shown.join('; ')})`)
}
