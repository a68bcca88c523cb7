/** Which mutants a bounded run has: always the same for a seed, from everywhere in the sources. */

/** A small generator of numbers from 0 to below 1: the same on every machine. @param {number} seed */
function numbers(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/**
 * @template T
 * @param {readonly T[]} values
 * @param {number | null} count null: all
 * @param {number} seed
 * @returns {T[]} in their order
 */
export function choose(values, count, seed) {
  if (count === null || count >= values.length) return [...values]
  const random = numbers(seed)
  const ranked = values.map((value, at) => ({ at, value, rank: random() }))
  const chosen = ranked.sort((one, other) => one.rank - other.rank).slice(0, count)
  return chosen.sort((one, other) => one.at - other.at).map(({ value }) => value)
}
