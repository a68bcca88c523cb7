/** Whether a row is where it has to be. */
import { ratio } from './statistics.mjs'

/**
 * @typedef {object} Verdict
 * @property {'ok' | 'BELOW' | 'not measured' | 'not here' | 'no floor'} status
 * @property {string[]} why what is below, or what is missing
 * @property {number} [missing] by which factor the worst of it is below
 */

/** Whom a floor compares with. */
const TO = ['ws', 'bun', 'handle']
/** Both ways to reply; the second is not measured in each row. */
const WAYS = { hawser: '', 'hawser-return': 'returned: ' }

/**
 * @param row `{ lowerIsBetter, contenders: { [name]: summary } }`
 * @param floor see `floorOf`, or undefined
 * @returns {Verdict}
 */
export function judge(row, floor) {
  if (floor === undefined) return { status: 'no floor', why: [] }
  const { hawser } = row.contenders
  if (hawser?.isAbsent) return { status: 'not here', why: [hawser.error] }
  if (hawser === undefined || hawser.error)
    return { status: 'not measured', why: [hawser?.error ?? 'hawser did not run'] }
  const found = { below: [], missing: [], factor: 1 }
  for (const [way, text] of Object.entries(WAYS)) {
    const own = row.contenders[way]
    if (own === undefined) continue
    if (own.error) found.missing.push(`${way}: ${own.error}`)
    else for (const name of TO) judgeRatio(row, own, name, floor, text, found)
  }
  judgeDropIn(row, floor, found)
  judgeBound(row, floor, found)
  const { below, missing, factor } = found
  if (below.length > 0) return { status: 'BELOW', why: below, missing: factor }
  return missing.length > 0 ? { status: 'not measured', why: missing } : { status: 'ok', why: [] }
}

const shownFactor = (factor) => (factor < 1.01 ? factor.toPrecision(4) : factor.toFixed(2))

/** Keeps what is below, and the factor that is missing. */
function addBelow(found, text, factor) {
  const line = `${text}: a factor of ${shownFactor(factor)} is missing`
  if (!found.below.includes(line)) found.below.push(line)
  found.factor = Math.max(found.factor, factor)
}

function judgeRatio(row, own, name, floor, text, found) {
  if (floor[name] === undefined) return
  const value = ratio(own, row.contenders[name], row.lowerIsBetter)
  if (value === null) {
    // Bun is optional: where it is not installed, its floors do not count.
    const reason = row.contenders[name]?.error
    const line = `${name}: ${reason ?? 'did not run'}`
    if (name === 'bun' && (reason === undefined || row.contenders.bun.isAbsent)) return
    if (!found.missing.includes(line)) found.missing.push(line)
  } else if (value < floor[name] * (1 - (floor.slack ?? 0))) {
    const shown = Number(value.toFixed(2)) < floor[name] ? value.toFixed(2) : value.toPrecision(6)
    addBelow(found, `${text}${shown} x ${name}, the floor is ${floor[name]}`, floor[name] / value)
  }
}

/** The drop-in for `ws`, beside Hawser itself, where it was asked for. */
function judgeDropIn({ contenders, lowerIsBetter }, { dropIn }, found) {
  const own = contenders['hawser-ws']
  if (dropIn === undefined || own === undefined) return
  const value = ratio(own, contenders.hawser, lowerIsBetter)
  if (value === null) found.missing.push(`hawser-ws: ${own.error ?? 'did not run'}`)
  else if (value < dropIn) {
    addBelow(found, `the drop-in ${value.toFixed(2)} x hawser, the floor is ${dropIn}`, dropIn / value)
  }
}

/** A bound on the figure itself, by a value or by the figure of another contender. */
function judgeBound({ contenders }, { atMost }, found) {
  if (atMost === undefined) return
  const own = contenders.hawser.median
  if (atMost.value !== undefined) {
    if (own > atMost.value) addBelow(found, `${Math.round(own)}, at most ${atMost.value}`, own / atMost.value)
    return
  }
  const other = contenders[atMost.contender]
  if (other === undefined || other.error) {
    found.missing.push(`${atMost.contender}: ${other?.error ?? 'did not run'}`)
    return
  }
  const bound = other.median + atMost.plus
  if (own <= bound) return
  const of = atMost.plus === 0 ? atMost.contender : `${atMost.contender} + ${atMost.plus}`
  addBelow(found, `${Math.round(own)}, at most ${Math.round(bound)} (${of})`, own / bound)
}
