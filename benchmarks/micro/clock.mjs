/**
 * How long one call takes: rounds of at least 200 ms behind a warm-up, the median of five.
 * @param {() => void} call @returns {number} ns
 */
export function measure(call) {
  let count = 1
  for (;;) {
    const took = time(call, count)
    if (took > 200e6) break
    count = Math.max(count * 2, Math.ceil((count * 220e6) / took))
  }
  const rounds = Array.from({ length: 5 }, () => time(call, count) / count).sort((a, b) => a - b)
  return rounds[2]
}

function time(call, count) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) call()
  return Number(process.hrtime.bigint() - start)
}
