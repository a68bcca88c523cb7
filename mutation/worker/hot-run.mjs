/**
 * One test file, loaded once. Each of its tests runs without a mutant first, as jest runs it, and then once with each mutant
 * that it reached: a mutant takes as long as a test, and no file is loaded for it.
 *
 * What a mutant leaves behind in the state of a module must not count against the next one. After each failure the test runs once more with
 * the mutant, where others passed before it, and once without one: where the one passes or the other fails, the file is loaded anew. What
 * another one has thrown after its test does not count.
 */
import { runHooks, runTest } from './run-test.mjs'

/** As Stryker has it: so many times more often than without the mutant, an expression is in a loop without an end. */
const HITS_FACTOR = 100
const HITS_MORE = 10_000

/**
 * A test that takes more time of the processor has its turn once the quick tests of all files are through, which kill most of its
 * mutants. On a busy machine all tests take long by the clock.
 */
const QUICK_MS = 50

/** One that waits for as long, as for the thread pool, has its turn last too. On a busy machine some more do, at no loss. */
const QUICK_CLOCK_MS = 200

/** A test that takes more than this is about cost: with each mutant that is left it would take minutes, and shows nothing new. */
const MOST_MS = 1_000

/** Time of the processor that this process has taken, in milliseconds. */
function processorMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** A test may take this much longer than it took without a mutant. */
const TIME_FACTOR = 10
const TIME_MORE_MS = 2_000

const titleOf = (test) => {
  const names = [test.name]
  for (let block = test.parent; block?.parent; block = block.parent) names.unshift(block.name)
  return names.join(' ')
}

export class HotRun {
  /** Why the tests of this file are of no use: one fails without any mutant. @type {string | null} */
  broken = null
  /** Whether the tests went through to the end of the file. */
  isThrough = true
  #ledger
  #file
  #wanted
  #turn
  #deadline
  #hangMs
  #state
  #loading
  #loadedBy = []
  #index = -1
  #startedMs = 0
  #startedProcessorMs = 0
  #stray = []
  /** How many mutants were tried since it was last known that nothing was left behind. */
  #unsure = 0
  #tried = false

  /**
   * @param {import('../lib/ledger.mjs').Ledger} ledger
   * @param {string} file of tests, from the root
   * @param {ReadonlySet<string>} wanted the ids of the mutants
   * @param {'quick' | 'slow'} turn which of the tests
   * @param {number} deadline in milliseconds since 1970
   * @param {number} hangMs after its time a test that does not even return is ended by the process above: so much later
   */
  constructor(ledger, file, wanted, turn, deadline, hangMs) {
    this.#ledger = ledger
    this.#file = file
    this.#wanted = wanted
    this.#turn = turn
    this.#deadline = deadline
    this.#hangMs = hangMs
  }

  /** Whether a test was run with a mutant. */
  get hasTried() {
    return this.#tried
  }

  /** How the ledger names the tests of this turn. */
  get key() {
    return this.#turn === 'quick' ? this.#file : `${this.#file} slow`
  }

  /** @param {object} global of the tests, before anything is loaded */
  enter(global) {
    this.#loading = {}
    this.#state = { active: undefined, hits: this.#loading, hitCount: 0, hitLimit: Infinity }
    global.__mutation__ = this.#state
  }

  /** @param {{ name: string, test?: object, error?: unknown }} event of jest-circus */
  handle({ name, test, error }) {
    if (name === 'error') this.#stray.push(error)
    else if (name === 'test_start') this.#start(test)
    // Not after it is done: jest then refuses that anything is loaded, and the tests of some modules load them anew.
    else if (name === 'test_fn_success') return this.#passed(test)
    else if (name === 'test_done') this.#done(test)
    // What the global object holds is emptied after this.
    else if (name === 'teardown') this.#loadedBy = Object.keys(this.#loading)
    return undefined
  }

  /** Writes down which mutants count while the file is loaded, and outside its tests. */
  finish() {
    this.#again(this.#undecided(this.#loadedBy))
  }

  #start(test) {
    this.#index++
    if (!this.isThrough || this.#index < this.#ledger.next(this.key) || !this.#hasTurn()) {
      test.mode = 'skip'
      return
    }
    this.#state.hits = {}
    this.#stray.length = 0
    this.#startedMs = performance.now()
    this.#startedProcessorMs = processorMs()
  }

  /** A slow test has its turn where a mutant is left that it reaches. */
  #hasTurn() {
    if (this.#turn === 'quick') return true
    const mutants = this.#ledger.slow.get(this.#file)?.get(this.#index)
    return mutants !== undefined && this.#undecided(mutants).length > 0
  }

  async #passed(test) {
    const { hits } = this.#state
    this.#state.hits = null
    const ms = performance.now() - this.#startedMs
    const takenMs = processorMs() - this.#startedProcessorMs
    if (test.errors.length > 0 || this.#stray.length > 0) return
    if (takenMs > MOST_MS) this.#leaveOut(hits)
    else if (this.#turn === 'quick' && (takenMs > QUICK_MS || ms > QUICK_CLOCK_MS)) this.#putOff(hits)
    else if (await this.#tryAll(test, hits, TIME_FACTOR * ms + TIME_MORE_MS)) {
      // jest ends the test with the hooks after it.
      await runHooks(test, 'beforeEach')
    }
    this.#stray.length = 0
  }

  #done(test) {
    if (this.isThrough && (test.errors.length > 0 || this.#stray.length > 0)) this.#fail(test)
    this.#state.hits = this.#loading
  }

  /** The test failed without a mutant: what was tried before it left something behind, or it always fails. */
  #fail(test) {
    this.isThrough = false
    const [first] = [...test.errors, ...this.#stray].flat()
    if (!this.#tried) this.broken = `${titleOf(test)}: ${String(first?.message ?? first)}`
  }

  #putOff(hits) {
    const mutants = this.#undecided(Object.keys(hits))
    this.#reach(mutants)
    this.#ledger.write({ kind: 'slow', file: this.#file, test: this.#index, mutants })
    this.#ledger.write({ kind: 'next', file: this.key, test: this.#index + 1 })
  }

  #leaveOut(hits) {
    this.#reach(this.#undecided(Object.keys(hits)))
    this.#ledger.write({ kind: 'next', file: this.key, test: this.#index + 1 })
  }

  /** @returns {Promise<boolean>} whether the test was run again */
  async #tryAll(test, hits, timeoutMs) {
    const ids = this.#undecided(Object.keys(hits))
    if (ids.length > 0) {
      this.#reach(ids)
      await runHooks(test, 'afterEach')
      const isRepeatable = (await this.#run(test, null, timeoutMs)) === 'passed'
      if (!this.isThrough) return true
      this.#unsure = 0
      const open = ids.filter((id) => !this.#ledger.isCleared(id, this.#file, this.#index))
      for (const id of isRepeatable ? open : []) {
        await this.#try(test, id, hits[id], timeoutMs)
        if (!this.isThrough) return true
      }
      if (!isRepeatable) {
        // It passes once only: its mutants are tried with the file loaded anew.
        this.#again(ids)
        this.isThrough = false
      }
    }
    this.#ledger.write({ kind: 'next', file: this.key, test: this.#index + 1 })
    return ids.length > 0
  }

  async #try(test, id, hits, timeoutMs) {
    this.#state.hitLimit = HITS_FACTOR * hits + HITS_MORE
    const isAlone = this.#unsure === 0
    const outcome = await this.#run(test, id, timeoutMs)
    this.#tried = true
    if (!this.isThrough) return
    if (outcome === 'passed') {
      this.#unsure++
      // Two that both leave something behind would be suspected in turns, without an end.
      if (isAlone && this.#ledger.suspects.has(id))
        this.#ledger.write({ kind: 'cleared', mutant: id, file: this.#file, test: this.#index })
      if (this.#state.hitCount === 0) this.#again([id])
      return
    }
    const isStray = this.#stray.length > 0
    const isEndless = outcome === 'late' || this.#state.hitCount > this.#state.hitLimit
    // What was tried before it may have left something behind, or have thrown only now. What is late may go on in the background.
    const isUnsure = outcome !== 'late' && (isStray || !isAlone)
    const isOnce = isUnsure && (await this.#run(test, id, timeoutMs)) === 'passed'
    if (!this.isThrough) return
    if (isOnce && isStray) {
      this.#unsure++
      return
    }
    const isClean = outcome !== 'late' && !isOnce && (await this.#run(test, null, timeoutMs)) === 'passed'
    if (!this.isThrough) return
    if (isClean || isAlone) this.#ledger.decide(id, isEndless ? 'timeout' : 'killed', titleOf(test))
    else this.#ledger.write({ kind: 'suspect', mutant: id })
    if (isClean) this.#unsure = 0
    else this.isThrough = false
  }

  /** @param {string | null} mutant */
  async #run(test, mutant, timeoutMs) {
    if (Date.now() > this.#deadline) {
      this.isThrough = false
      return 'passed'
    }
    this.#ledger.write({
      kind: 'trying',
      file: this.#file,
      mutant,
      test: this.#index,
      until: Date.now() + timeoutMs + this.#hangMs,
      by: titleOf(test),
    })
    this.#state.hitCount = 0
    this.#state.active = mutant ?? undefined
    if (mutant !== null) process.env.HAWSER_MUTANT = mutant
    const outcome = await runTest(test, timeoutMs, this.#stray)
    this.#state.active = undefined
    delete process.env.HAWSER_MUTANT
    this.#ledger.write({ kind: 'idle' })
    return outcome
  }

  #undecided(ids) {
    const { decided, suspects } = this.#ledger
    const left = ids.filter((id) => this.#wanted.has(id) && !decided.has(id))
    // The newest suspect is tried before all others: by an older one, which makes no difference, it would be suspected again.
    const first = [...suspects].reverse().filter((id) => left.includes(id))
    return [...first, ...left.filter((id) => !suspects.has(id))]
  }

  #reach(ids) {
    const mutants = ids.filter((id) => !this.#ledger.reached.has(id))
    if (mutants.length > 0) this.#ledger.write({ kind: 'reached', mutants })
  }

  #again(ids) {
    if (ids.length > 0) this.#ledger.write({ kind: 'again', file: this.#file, mutants: ids })
  }
}
