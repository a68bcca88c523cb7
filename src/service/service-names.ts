import { countSlips, showValue } from '../check.js'

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

/** The options of a service beside its handlers. */
const OPTION_NAMES: readonly string[] = ['codec', 'concurrency']

/** The options that a server's services may have as well. */
export const SETTING_NAMES = [
  'idleTimeoutMs',
  'maxMessageBytes',
  'maxFrameBytes',
  'protocols',
  'quotas',
  'autoPong',
] as const

const ALL_NAMES: readonly string[] = [...HANDLER_NAMES, 'onUpgrade', ...OPTION_NAMES, ...SETTING_NAMES]

/** Words that a class may well have, near as they are to the name of an option. */
const WORDS: ReadonlySet<string> = new Set(['protocol', 'quota'])

/** Results of {@link nearest} for names of classes: each connection may have an instance of its class. */
const found = new Map<string, string | null>()
const MAX_FOUND = 1000

/** The handlers' names in browsers, Bun, uWebSockets.js, ws and Socket.IO. */
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
 * Checks the names of a service, so that a misspelt handler does not go unnoticed. Calls nothing of the service.
 * - A plain object: each of its own names must be a handler or an option. Other state belongs into the closure, or into a
 *   class.
 * - An instance of a class may have other names, except near misses of a handler or a missing option: the name in another
 *   case of letters, or with one letter changed (two, in a long name); and an `on…` name that is not a method. Where it has
 *   no handler at all, its methods must not have the names of handlers elsewhere (`message`) either, nor `on…` names.
 * - A module is checked as an instance without handlers is, since nobody else calls what it exports.
 * A function that makes handlers is checked as an instance is.
 * @param settings further legal options
 * @param passed prototypes that were checked with the same names: they are skipped, and those that pass are added. The
 *   first instance of a class decides for its prototype
 * @throws TypeError with the name, the name that was probably meant, and the legal names
 */
export function checkServiceNames(
  name: string,
  service: object,
  handlers: readonly string[],
  settings: readonly string[] = [],
  passed?: WeakSet<object>,
): void {
  const options = typeof service === 'function' ? settings : [...OPTION_NAMES, ...settings]
  const known = [...handlers, ...options]
  const isOfModule = isModule(service)
  if (!isOfModule && isPlain(service)) {
    for (const key of Object.keys(service)) if (!known.includes(key)) throw unknown(name, key, known)
    return
  }
  const hasHandler = !isOfModule && handlers.some((one) => one in service)
  for (
    let holder: object | null = service;
    holder !== null && holder !== Object.prototype && passed?.has(holder) !== true;
    holder = Object.getPrototypeOf(holder) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(holder)) {
      if (known.includes(key) || WORDS.has(key)) continue
      const meant = remembered(key)
      const isOn = /^on[A-Z]/.test(key)
      if (meant === null && !isOn) continue
      const isMethod = typeof Object.getOwnPropertyDescriptor(holder, key)?.value === 'function'
      if (isOn) {
        if (meant === null && hasHandler && isMethod) continue
        throw unknown(name, key, known)
      }
      if (meant === null || !known.includes(meant)) continue
      if (meant.toLowerCase() === key.toLowerCase()) throw unknown(name, key, known)
      if (meant in service || (hasHandler && ELSEWHERE.has(key.toLowerCase()))) continue
      if (isMethod || options.includes(meant)) throw unknown(name, key, known)
    }
  }
  if (passed === undefined) return
  const parent = Object.getPrototypeOf(service) as object | null
  if (parent !== null) passed.add(parent)
}

/** Whether a value is a module: it has the tag of one, or the marker that compilers put in its place. */
function isModule(service: object): boolean {
  return (
    (service as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Module' ||
    '__esModule' in service
  )
}

/** Whether a value is an object literal, and not tagged as something else. */
function isPlain(service: object): boolean {
  if (Symbol.toStringTag in service) return false
  const parent = Object.getPrototypeOf(service) as object | null
  return parent === null || Object.getPrototypeOf(parent) === null
}

function unknown(name: string, key: string, known: readonly string[]): TypeError {
  const meant = nearest(key)
  return new TypeError(
    `${name} has no ${/^on/i.test(key) ? 'handler' : 'handler or option'} named ${showValue(key)}; ` +
      `there are ${known.join(', ')}${meant !== null && known.includes(meant) ? `; did you mean ${meant}?` : ''}`,
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

/** The name that was probably meant, or null. */
function nearest(key: string): string | null {
  const elsewhere = ELSEWHERE.get(key.toLowerCase())
  if (elsewhere !== undefined) return elsewhere
  const meant = ALL_NAMES.find((one) => {
    if (one.toLowerCase() === key.toLowerCase()) return true
    // `code` is a word of its own, not a misspelt `codec`; no `on…` name is.
    const slips = one.length > 7 ? 2 : key.length < one.length && !key.startsWith('on') ? 0 : 1
    return countSlips(one, key) <= slips
  })
  return meant ?? null
}
