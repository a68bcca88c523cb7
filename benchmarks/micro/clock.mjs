/** How long a round is at least, ns: short in a quick run, whose figures mean nothing. */
export const ROUND_NS = process.env.HAWSER_BENCH_QUICK ? 5e6 : 80e6

/**
 * How long one call takes: rounds of at least 80 ms after a warm-up, the median of five.
 * @param {() => void} call @returns {number} ns
 */
export function measure(call) {
  let count = 1
  for (;;) {
    const took = time(call, count)
    if (took > ROUND_NS) break
    count = Math.max(count * 2, Math.ceil((count * 1.1 * ROUND_NS) / took))
  }
  const rounds = Array.from({ length: 5 }, () => time(call, count) / count).sort((a, b) => a - b)
  return rounds[2]
}

function time(call, count) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) call()
  return Number(process.hrtime.bigint() - start)
}
