/** @param {number[]} values @returns {number} the middle one; of an even count, the mean of the two in the middle */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the distance between the extremes, as a share of the median; 0 for a single value. */
export function spread(values) {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2 / Math.abs(middle)
}

const isNumber = (value) => typeof value === 'number'

/**
 * The rounds of one contender in one row, as one.
 * @param {object[]} figures each `{ value, latency?, cpuMicros?, ... }`
 * @returns the same with medians, and all values with their spread; what other processes took is that of the worst
 *   round, and texts are those of the first
 */
export function summarize(figures) {
  const values = figures.map(({ value }) => value)
  const summary = { median: median(values), spread: spread(values), values }
  const [first] = figures
  for (const [name, value] of Object.entries(first)) {
    if (name === 'value') continue
    if (name === 'othersShare') summary[name] = Math.max(...figures.map((one) => one[name]))
    else if (isNumber(value)) summary[name] = median(figures.map((one) => one[name]))
    else if (name === 'latency') {
      summary.latency = Object.fromEntries(
        Object.keys(value).map((point) => [point, median(figures.map(({ latency }) => latency[point]))]),
      )
    } else summary[name] = value
  }
  return summary
}

/**
 * How much better `own` is than `other`; above 1: better, whatever the unit.
 * @returns {number | null} null where there is nothing to compare
 */
export function ratio(own, other, lowerIsBetter) {
  if (own === undefined || other === undefined || own.error || other.error) return null
  const [above, below] = lowerIsBetter ? [other.median, own.median] : [own.median, other.median]
  // Memory that did not grow at all would be infinitely good: it is noise.
  return below > 0 && above > 0 ? above / below : null
}
