/** Runs one test of jest-circus once more, with its hooks. */

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** @param {{ parent: object }} test @returns {{ before: Function[], after: Function[] }} the hooks, in their order */
function hooksOf(test) {
  const before = []
  const after = []
  for (let block = test.parent; block; block = block.parent) {
    const of = (type) => block.hooks.filter((hook) => hook.type === type).map(({ fn }) => fn)
    before.unshift(...of('beforeEach'))
    after.push(...of('afterEach'))
  }
  return { before, after }
}

/** A test that takes an argument calls it at its end. */
function call(fn, context) {
  if (fn.length === 0) return fn.call(context)
  return new Promise((resolve, reject) => {
    fn.call(context, (error) => (error === undefined ? resolve() : reject(error)))
  })
}

async function runWithHooks(test) {
  const { before, after } = hooksOf(test)
  const context = Object.create(null)
  try {
    for (const hook of before) await call(hook, context)
    await call(test.fn, context)
  } finally {
    for (const hook of after) await call(hook, context)
  }
}

/**
 * @param {{ fn: Function, parent: object }} test as jest-circus has it
 * @param {number} timeoutMs
 * @param {unknown[]} stray errors that no test caught, as they come in
 * @returns {Promise<'passed' | 'failed' | 'late'>}
 */
export async function runTest(test, timeoutMs, stray) {
  stray.length = 0
  let timer
  const late = new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs, 'late')))
  const run = runWithHooks(test).then(
    () => 'passed',
    () => 'failed',
  )
  const outcome = await Promise.race([run, late])
  clearTimeout(timer)
  // A promise that nobody waited for is reported at the end of the turn.
  if (outcome === 'passed') await nextTurn()
  return stray.length > 0 ? 'failed' : outcome
}
