/* global requestAnimationFrame, ResizeObserver */

/** How far from its end a list may be scrolled and still follow what is added. */
const STICKY_PX = 40

/**
 * The end of a long list: rows are added once per picture, however many come, and the oldest go. The list follows
 * its end unless the reader scrolled away from it.
 */
export class CappedList {
  #list
  #scroll
  #limit
  #pending = []
  #isScheduled = false
  #followsEnd = true

  /**
   * @param {Element} list holds the rows
   * @param {Element} scroll is scrolled
   * @param {number} limit the most rows that are kept
   */
  constructor(list, scroll, limit) {
    this.#list = list
    this.#scroll = scroll
    this.#limit = limit
    scroll.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = scroll
      this.#followsEnd = scrollHeight - scrollTop - clientHeight < STICKY_PX
    })
    new ResizeObserver(() => this.#follow()).observe(scroll)
  }

  /** @param {() => Element} makeRow called when the row is shown, if it still is to be then */
  add(makeRow) {
    this.#pending.push(makeRow)
    // Nothing is painted while the page is in the background: only what will be seen is kept.
    if (this.#pending.length >= this.#limit * 2) this.#pending.splice(0, this.#limit)
    if (this.#isScheduled) return
    this.#isScheduled = true
    requestAnimationFrame(() => {
      this.#isScheduled = false
      this.#render()
    })
  }

  clear() {
    this.#pending = []
    this.#list.replaceChildren()
  }

  #render() {
    const rows = this.#pending.slice(-this.#limit).map((makeRow) => makeRow())
    this.#pending = []
    this.#list.append(...rows)
    while (this.#list.childElementCount > this.#limit) this.#list.firstElementChild.remove()
    this.#follow()
  }

  #follow() {
    if (this.#followsEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight
  }
}
