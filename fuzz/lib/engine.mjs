/**
 * A fuzzer guided by coverage: what reaches code that no input reached before, or reaches it more often, is kept and changed
 * further. An input is kept for as long as it is the shortest that has some feature, so what is kept is always minimal.
 */
import { Mutator } from './mutate.mjs'
import { Random } from './random.mjs'

/** How often a place was reached, as one of eight classes: as AFL has them. */
const CLASSES = new Uint8Array(256).map((_, hits) =>
  hits <= 3 ? hits : hits < 8 ? 4 : hits < 16 ? 5 : hits < 32 ? 6 : hits < 128 ? 7 : 8,
)
const CLASS_COUNT = 9

/** Executions to the next look at the clock, and to the next turn of the event loop. */
const LOOK_EVERY = 64
const SHRINK_EXECUTIONS = 3000

/** @typedef {{ input: Buffer, error: Error }} Finding */

export class Engine {
  #hits
  #words
  #run
  #before
  #random
  #mutator
  /** For each feature the entry of the corpus that has it and is shortest. */
  #owners = new Map()
  /** The entries, each with the number of features that it owns. @type {{ input: Buffer, owned: number }[]} */
  #corpus = []
  executions = 0

  /**
   * @param {object} options
   * @param {Uint8Array} options.hits the counters, a multiple of 4
   * @param {(input: Buffer) => void | Promise<void>} options.run throws where something is wrong
   * @param {(input: Buffer) => void} [options.before] called before each run
   * @param {number} options.seed
   * @param {number} options.maxBytes of an input
   * @param {readonly Buffer[]} options.words
   */
  constructor({ hits, run, before = () => undefined, seed, maxBytes, words }) {
    this.#hits = hits
    this.#words = new Uint32Array(hits.buffer, hits.byteOffset, hits.length / 4)
    this.#run = run
    this.#before = before
    this.#random = new Random(seed)
    this.#mutator = new Mutator(this.#random, { maxBytes, words })
  }

  /** How many features were reached: a place in the code, and how often. */
  get features() {
    return this.#owners.size
  }

  /** How many places in the code were reached. */
  get places() {
    return new Set([...this.#owners.keys()].map((feature) => Math.floor(feature / CLASS_COUNT))).size
  }

  /** How many inputs are kept. */
  get kept() {
    return this.#corpus.length
  }

  /** The shortest input for each place that was reached, however often: what is worth keeping from run to run. @returns {Buffer[]} */
  get corpus() {
    const shortest = new Map()
    for (const [feature, { input }] of this.#owners) {
      const place = Math.floor(feature / CLASS_COUNT)
      const known = shortest.get(place)
      if (known === undefined || input.length < known.length) shortest.set(place, input)
    }
    return [...new Set(shortest.values())]
  }

  /**
   * Runs the inputs that are there, then changes of them.
   * @param {readonly Buffer[]} inputs
   * @param {{ until: () => boolean }} options asked now and then
   * @returns {Promise<Finding | null>} the first finding, as short as it could be made
   */
  async fuzz(inputs, { until }) {
    for (const input of [...inputs, Buffer.alloc(0)]) {
      const finding = await this.#try(input)
      if (finding !== null) return this.#shrink(finding)
    }
    while (!until()) {
      for (let i = 0; i < LOOK_EVERY; i++) {
        const { input } = this.#random.pick(this.#corpus)
        const finding = await this.#try(this.#mutator.mutate(input, this.#random.pick(this.#corpus).input))
        if (finding !== null) return this.#shrink(finding)
      }
      // What the target left to later turns runs.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return null
  }

  /** @returns {Promise<Finding | null>} */
  async #try(input) {
    const error = await this.#execute(input)
    if (error !== null) return { input, error }
    this.#learn(input)
    return null
  }

  /** @returns {Promise<Error | null>} */
  async #execute(input) {
    this.executions++
    this.#before(input)
    this.#hits.fill(0)
    try {
      // The target gets bytes of its own: it may write to them.
      const promise = this.#run(Buffer.from(input))
      if (promise !== undefined) await promise
      return null
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`)
    }
  }

  /** Keeps the input where it has a feature that is new, or that only longer inputs had. */
  #learn(input) {
    const won = []
    for (let word = 0; word < this.#words.length; word++) {
      if (this.#words[word] === 0) continue
      for (let place = word * 4; place < word * 4 + 4; place++) {
        const hits = this.#hits[place]
        if (hits === 0) continue
        const feature = place * CLASS_COUNT + CLASSES[hits]
        const owner = this.#owners.get(feature)
        if (owner === undefined || owner.input.length > input.length) won.push(feature)
      }
    }
    // The first input of all is kept, whatever it reaches: there is always one to change.
    if (won.length === 0 && this.#corpus.length > 0) return
    const entry = { input: Buffer.from(input), owned: won.length }
    this.#corpus.push(entry)
    let hasLost = false
    for (const feature of won) {
      const owner = this.#owners.get(feature)
      if (owner !== undefined && --owner.owned === 0) hasLost = true
      this.#owners.set(feature, entry)
    }
    if (hasLost) this.#corpus = this.#corpus.filter(({ owned }) => owned > 0)
  }

  /** Leaves out what it can without losing the error. @param {Finding} finding @returns {Promise<Finding>} */
  async #shrink({ input, error }) {
    let shortest = input
    let left = SHRINK_EXECUTIONS
    const failsAlike = async (candidate) => {
      left--
      return (await this.#execute(candidate))?.message.split('\n', 1)[0] === error.message.split('\n', 1)[0]
    }
    for (let size = Math.ceil(shortest.length / 2); size >= 1 && left > 0; size = Math.floor(size / 2)) {
      for (let at = 0; at < shortest.length && left > 0;) {
        const candidate = Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + size)])
        if (await failsAlike(candidate)) shortest = candidate
        else at += size
      }
    }
    return { input: shortest, error }
  }
}
