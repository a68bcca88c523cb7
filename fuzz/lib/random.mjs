/** Numbers that look random and follow from a seed: the same seed gives the same run. (xorshift32.) */
export class Random {
  #state

  /** @param {number} seed 32 bits */
  constructor(seed) {
    // Zero would stay zero.
    this.#state = (seed ^ 0x9e3779b9) | 0 || 1
  }

  /** @returns {number} a whole number from 0 up to, and without, `count` */
  below(count) {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state >>> 0) % count
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.below(list.length)]
  }
}
