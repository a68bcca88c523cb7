import { Stop } from './stop.mjs'

/**
 * What `--sample` runs: all of 1 to 10; of 12 and 13 (compression, most of a whole run's time) four cases of each of the
 * twelve settings: messages of 16 bytes, 4 KiB and 128 KiB, and of 32 KiB in frames of 256 bytes.
 */
export const SAMPLE_PATTERNS = Object.freeze([
  ...['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*'],
  ...['12.*.1', '12.*.5', '12.*.10', '12.*.13'],
  ...['13.*.1', '13.*.5', '13.*.10', '13.*.13'],
])

/**
 * Orders case ids by their numbers: 9.1.2 before 9.1.10 before 10.1.1.
 * @param {string} a
 * @param {string} b
 * @returns {number}
 */
export function compareCaseIds(a, b) {
  const left = a.split('.').map(Number)
  const right = b.split('.').map(Number)
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? -1) - (right[index] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

/** @param {string} pattern */
function patternToRegExp(pattern) {
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
}

/**
 * The cases that a run is to do.
 * @param {readonly string[]} known all ids of the suite
 * @param {readonly string[]} patterns ids, where `*` stands for any part; none: all
 * @returns {string[]} in the suite's order, each once
 * @throws Stop for a pattern that fits no case
 */
export function selectCases(known, patterns) {
  const all = [...known].sort(compareCaseIds)
  if (patterns.length === 0) return all
  const tests = patterns.map((pattern) => {
    const test = patternToRegExp(pattern)
    if (!all.some((id) => test.test(id))) {
      throw new Stop(`--cases ${pattern} fits no case of the suite (a whole group is written 9.*)`, 2)
    }
    return test
  })
  return all.filter((id) => tests.some((test) => test.test(id)))
}
