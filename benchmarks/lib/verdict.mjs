/** Whether a row is where it has to be. */
import { ratio } from './statistics.mjs'

/**
 * @typedef {object} Verdict
 * @property {'ok' | 'BELOW' | 'not measured' | 'not here' | 'no floor'} status
 * @property {string[]} why what is below, or what is missing
 */

/**
 * @param row `{ lowerIsBetter, contenders: { [name]: summary } }`
 * @param floor a row of floors.mjs, or undefined
 * @returns {Verdict}
 */
export function judge(row, floor) {
  if (floor === undefined) return { status: 'no floor', why: [] }
  const { hawser } = row.contenders
  if (hawser?.isAbsent) return { status: 'not here', why: [hawser.error] }
  if (hawser === undefined || hawser.error)
    return { status: 'not measured', why: [hawser?.error ?? 'hawser did not run'] }
  const below = []
  const missing = []
  for (const name of ['ws', 'bun']) {
    if (floor[name] === undefined) continue
    const found = ratio(hawser, row.contenders[name], row.lowerIsBetter)
    if (found === null) {
      // Bun is optional: where it is not installed, its floors do not count.
      const reason = row.contenders[name]?.error
      if (name !== 'bun' || (reason !== undefined && !row.contenders.bun.isAbsent))
        missing.push(`${name}: ${reason ?? 'did not run'}`)
    } else if (found < floor[name] * (1 - (floor.slack ?? 0))) {
      const shown = Number(found.toFixed(2)) < floor[name] ? found.toFixed(2) : found.toPrecision(6)
      below.push(`${shown} x ${name}, the floor is ${floor[name]}`)
    }
  }
  judgeBound(row, floor, below, missing)
  if (below.length > 0) return { status: 'BELOW', why: below }
  return missing.length > 0 ? { status: 'not measured', why: missing } : { status: 'ok', why: [] }
}

/** A bound on the figure itself, by that of another contender. */
function judgeBound({ contenders }, { atMost }, below, missing) {
  if (atMost === undefined) return
  const own = contenders.hawser.median
  if (atMost.value !== undefined) {
    if (own > atMost.value) below.push(`${Math.round(own)}, at most ${atMost.value}`)
    return
  }
  const other = contenders[atMost.contender]
  if (other === undefined || other.error) {
    missing.push(`${atMost.contender}: ${other?.error ?? 'did not run'}`)
    return
  }
  const bound = other.median + atMost.plus
  if (own > bound)
    below.push(`${Math.round(own)}, at most ${Math.round(bound)} (${atMost.contender} + ${atMost.plus})`)
}
