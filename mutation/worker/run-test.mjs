/** Runs one test of jest-circus once more, with its hooks. */

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** In such steps a test's time is counted, so that the time in which this process was stopped, or had no turn, is one step. */
const STEP_MS = 100

/** @param {number} ms @returns {{ late: Promise<'late'>, stop: () => void }} */
function countDown(ms) {
  let timer
  const late = new Promise((resolve) => {
    const wait = (left) => {
      timer = setTimeout(
        () => (left > STEP_MS ? wait(left - STEP_MS) : resolve('late')),
        Math.min(left, STEP_MS),
      )
    }
    wait(ms)
  })
  return { late, stop: () => clearTimeout(timer) }
}

/** @param {{ parent: object }} test @param {'beforeEach' | 'afterEach'} type @returns {Function[]} in their order */
function hooksOf(test, type) {
  const hooks = []
  for (let block = test.parent; block; block = block.parent) {
    const own = block.hooks.filter((hook) => hook.type === type).map(({ fn }) => fn)
    if (type === 'beforeEach') hooks.unshift(...own)
    else hooks.push(...own)
  }
  return hooks
}

/** A test that takes an argument calls it at its end. */
function call(fn, context) {
  if (fn.length === 0) return fn.call(context)
  return new Promise((resolve, reject) => {
    fn.call(context, (error) => (error === undefined ? resolve() : reject(error)))
  })
}

/**
 * @param {{ parent: object }} test as jest-circus has it
 * @param {'beforeEach' | 'afterEach'} type
 */
export async function runHooks(test, type, context = Object.create(null)) {
  for (const hook of hooksOf(test, type)) await call(hook, context)
}

async function runWithHooks(test) {
  const context = Object.create(null)
  try {
    await runHooks(test, 'beforeEach', context)
    await call(test.fn, context)
  } finally {
    await runHooks(test, 'afterEach', context)
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
  const { late, stop } = countDown(timeoutMs)
  const run = runWithHooks(test).then(
    () => 'passed',
    () => 'failed',
  )
  const outcome = await Promise.race([run, late])
  stop()
  // A promise that nobody waited for is reported at the end of the turn.
  if (outcome === 'passed') await nextTurn()
  return stray.length > 0 ? 'failed' : outcome
}
