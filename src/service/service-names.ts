import { showValue } from '../limits.js'

export const HANDLER_NAMES: readonly string[] = [
  'onOpen',
  'onMessage',
  'onTextMessage',
  'onBinaryMessage',
  'onPing',
  'onPong',
  'onDrain',
  'onIdleTimeout',
  'onInvalidMessage',
  'onClose',
  'onError',
]

/** What a service has beside its handlers. */
const OPTION_NAMES: readonly string[] = ['codec', 'concurrency']

const ALL_NAMES: readonly string[] = [...HANDLER_NAMES, 'onUpgrade', ...OPTION_NAMES]

/** What {@link nearest} found for names of classes, of which each connection may have an instance. */
const found = new Map<string, string | null>()
const MAX_FOUND = 1000

/** What the handlers are called elsewhere: in browsers, in Bun, in uWebSockets.js, in ws and in Socket.IO. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['open', 'onOpen'],
  ['connect', 'onOpen'],
  ['connection', 'onOpen'],
  ['message', 'onMessage'],
  ['ping', 'onPing'],
  ['pong', 'onPong'],
  ['drain', 'onDrain'],
  ['close', 'onClose'],
  ['disconnect', 'onClose'],
  ['error', 'onError'],
  ['upgrade', 'onUpgrade'],
])

/**
 * Checks the names of a service, so that no handler is never called for being misspelt. Nothing of it is called here.
 * - A plain object: each of its own names must be a handler or an option. What it keeps beside them belongs into the
 *   closure, or into a class.
 * - An instance of a class, and a module, keep what they like, but for `on…` names that are no handler, in any case of
 *   letters, and for what is nearly the name of one that is not there: a function with the name that it has elsewhere
 *   (`message`), or one letter off (two, of a long name).
 * @throws TypeError with the name, what may have been meant, and what there is
 */
export function checkServiceNames(name: string, service: object, handlers: readonly string[]): void {
  const known = [...handlers, ...OPTION_NAMES]
  if (isPlain(service)) {
    for (const key of Object.keys(service)) if (!known.includes(key)) throw unknown(name, key, known)
    return
  }
  for (
    let holder: object | null = service;
    holder !== null && holder !== Object.prototype;
    holder = Object.getPrototypeOf(holder) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(holder)) {
      if (known.includes(key)) continue
      const meant = remembered(key)
      if (/^on[A-Z]/.test(key)) throw unknown(name, key, known)
      if (meant === null || !known.includes(meant)) continue
      if (meant.toLowerCase() === key.toLowerCase()) throw unknown(name, key, known)
      if (meant in service) continue
      const isOption = OPTION_NAMES.includes(meant)
      if (isOption || typeof Object.getOwnPropertyDescriptor(holder, key)?.value === 'function') {
        throw unknown(name, key, known)
      }
    }
  }
}

/** An object as it is written between braces. A module is none: it has a tag, or what compilers put in its place. */
function isPlain(service: object): boolean {
  if (Symbol.toStringTag in service || '__esModule' in service) return false
  const parent = Object.getPrototypeOf(service) as object | null
  return parent === null || Object.getPrototypeOf(parent) === null
}

function unknown(name: string, key: string, known: readonly string[]): TypeError {
  const meant = nearest(key)
  return new TypeError(
    `${name} has no ${/^on/i.test(key) ? 'handler' : 'handler or option'} named ${showValue(key)}; ` +
      `there are ${known.join(', ')}${meant !== null && known.includes(meant) ? `; is ${meant} meant?` : ''}`,
  )
}

function remembered(key: string): string | null {
  let meant = found.get(key)
  if (meant === undefined) {
    if (found.size >= MAX_FOUND) found.clear()
    meant = nearest(key)
    found.set(key, meant)
  }
  return meant
}

/** The name that was surely meant; null: none. */
function nearest(key: string): string | null {
  const elsewhere = ELSEWHERE.get(key.toLowerCase())
  if (elsewhere !== undefined) return elsewhere
  const meant = ALL_NAMES.find((one) => {
    if (one.toLowerCase() === key.toLowerCase()) return true
    // `code` is a word, and no misspelt `codec`.
    const slips = one.length > 7 ? 2 : key.length < one.length ? 0 : 1
    return Math.abs(one.length - key.length) <= slips && distance(one, key) <= slips
  })
  return meant ?? null
}

/** How many letters are to be put in, left out or changed to make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
