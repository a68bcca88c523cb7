/**
 * Runs one program, and sends what it found to the process that started this one. It ends when nothing keeps it
 * alive: what a program leaves behind is found by that.
 */
const [, , name] = process.argv
const warnings = []
process.on('warning', (warning) => warnings.push(`${warning.name}: ${warning.message}`))

const figures = {}
const { run } = await import(`../programs/${name}.mjs`)
const began = performance.now()
const result = await run({ figure: (figure, value) => (figures[figure] = value) })
const tookMs = Math.round(performance.now() - began)
const { user, system } = process.cpuUsage()

globalThis.gc()
const { maxRSS } = process.resourceUsage()
process.send(
  {
    result,
    figures,
    warnings,
    tookMs,
    cpuMs: Math.round((user + system) / 1_000),
    memory: {
      peakMb: Math.round(maxRSS / 1024),
      heapMb: Number((process.memoryUsage().heapUsed / 2 ** 20).toFixed(1)),
    },
    carried: globalThis[Symbol.for('hawser.consumers.carried')],
  },
  () => process.disconnect(),
)
