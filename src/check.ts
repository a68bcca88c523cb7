/**
 * One way to check what the caller gives. The names, defaults and errors of options come from one object of checks. Every
 * error says the name, what is legal, and the value.
 */

/**
 * Checks one value of the caller.
 * @param name how the error names it
 * @returns the value, or the default if it is `undefined`
 * @throws TypeError for a value of a wrong type, RangeError for a number out of range
 */
export type Check<T> = (name: string, value: unknown) => T

/** A check for each option of a type: a missing one does not compile. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check<unknown> }

/** The result of {@link readOptions} for these checks: every option, with its default filled in. */
export type Read<C> = { readonly [Name in keyof C]: C[Name] extends Check<infer T> ? T : never }

/** What the errors of {@link readOptions} say in addition. */
export interface Advice {
  /** Stands before the name of an option in errors, as in `perMessageDeflate.level`. Default: empty. */
  readonly prefix?: string
  /** For names of other libraries, and of other arguments: what to use instead. */
  readonly instead?: Readonly<Record<string, string>>
  /** For a function in the place of the options: what to use instead of a callback. */
  readonly callback?: string
}

const NO_ADVICE: Advice = Object.freeze({})

/** Shows a wrong value in an error: short, and at most 40 characters of its content. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** What a value is, without its content: for values that may be secrets. */
export function showKind(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/**
 * Says what is wrong with a text that may be a secret, such as the value of a header: the first character that is not legal
 * and its offset, and nothing else of the text.
 * @param isLegal whether a UTF-16 code unit is legal
 */
export function showFlaw(value: unknown, isLegal: (code: number) => boolean): string {
  if (typeof value !== 'string') return showKind(value)
  for (let i = 0; i < value.length; i++) {
    if (isLegal(value.charCodeAt(i))) continue
    const code = (value.codePointAt(i) as number).toString(16).toUpperCase().padStart(4, '0')
    return `text with U+${code} at offset ${String(i)}`
  }
  return value === '' ? 'an empty text' : 'this text'
}

/** How much of a URL an error shows. */
const MAX_URL_CHARACTERS = 100
/** Without one of these, what stands before the first colon may be a user or a password. */
const URL_START = /^\s*(?:(?:wss?|https?)(?:\+unix)?:[/\\]{0,2}|[a-z][a-z\d+.-]*:\/\/)/i

/**
 * Shows a URL in an error, which may be malformed anywhere: what may be a user, a password or a token is left out. These are
 * everything before an @, and what follows a question mark or a hash.
 */
export function showUrl(text: string): string {
  const start = (URL_START.exec(text) ?? [''])[0]
  const rest = text.slice(start.length)
  const at = rest.lastIndexOf('@')
  const mark = rest.search(/[?#]/)
  let shown
  if (at < 0) shown = mark < 0 ? rest : `${rest.slice(0, mark + 1)}***`
  // A mark before the @ may be of the password, and the @ may be of the query.
  else if (mark >= 0 && mark < at) shown = '***'
  else shown = `***@${mark < 0 ? rest.slice(at + 1) : `${rest.slice(at + 1, mark + 1)}***`}`
  const all = start + shown
  return JSON.stringify(all.length > MAX_URL_CHARACTERS ? `${all.slice(0, MAX_URL_CHARACTERS)}…` : all)
}

export interface NumberRule {
  readonly min: number
  /** Default: Infinity. */
  readonly max?: number
  readonly integer: boolean
}

/**
 * Checks a number of the caller.
 * @throws TypeError for a value that is not a number, RangeError for one out of range: with name, value and range
 */
export function checkNumber(name: string, value: unknown, rule: NumberRule): number {
  const { min, max = Infinity, integer } = rule
  if (typeof value !== 'number')
    throw new TypeError(`${name} must be ${rangeOf(rule)}, not ${showValue(value)}`)
  const isWhole = !integer || Number.isInteger(value) || value === Infinity
  if (Number.isNaN(value) || !isWhole || value < min || value > max) {
    throw new RangeError(`${name} must be ${rangeOf(rule)}, not ${showValue(value)}`)
  }
  return value
}

const rangeOf = ({ min, max = Infinity, integer }: NumberRule): string =>
  `${integer ? 'an integer' : 'a number'} from ${String(min)} to ${String(max)}`

/** Objects that would pass as options without a name: what they hold is not in properties. By tag, so of any realm. */
const CONTAINERS: ReadonlyMap<string, string> = new Map(
  ['a Map', 'a Set', 'a WeakMap', 'a WeakSet', 'a Date', 'a RegExp', 'an Error'].map((shown) => [
    `[object ${shown.slice(shown.indexOf(' ') + 1)}]`,
    shown,
  ]),
)

/**
 * Checks that options are an object and have legal names only. Own and inherited names count, as reading finds both.
 * @param what how the error names the options, such as `ServerOptions`
 * @param checks an object whose own names are the legal ones
 * @throws TypeError for a value that is not an object, an array, a promise, a container such as a Map, a Date, an Error,
 *   and for a name that is not an option
 */
export function checkOptionNames(
  what: string,
  options: unknown,
  checks: object,
  advice: Advice = NO_ADVICE,
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw notAnObject(what, showValue(options), typeof options === 'function' ? advice.callback : undefined)
  }
  if (isThenable(options)) refusePromise(options, `${what} must be an object, not a promise: await it`)
  const container = CONTAINERS.get(Object.prototype.toString.call(options))
  if (container !== undefined) throw notAnObject(what, container)
  for (const name in options) {
    if (Object.hasOwn(checks, name)) continue
    // A program that adds names to Object.prototype adds them to every object.
    if (name in Object.prototype && !Object.hasOwn(options, name)) continue
    throw unknownName(what, name, Object.keys(checks), advice)
  }
}

function notAnObject(what: string, shown: string, hint?: string): TypeError {
  return new TypeError(`${what} must be an object, not ${shown}${hint === undefined ? '' : `: ${hint}`}`)
}

function unknownName(what: string, name: string, legal: readonly string[], { instead }: Advice): TypeError {
  const hint = instead !== undefined && Object.hasOwn(instead, name) ? instead[name] : undefined
  const text = `${what} has no option ${showValue(name)}; there ${legal.length === 1 ? 'is' : 'are'} ${legal.join(', ')}`
  if (hint !== undefined) return new TypeError(`${text}; ${hint}`)
  const near = nearestName(name, legal)
  return new TypeError(near === null ? text : `${text}; did you mean ${near}?`)
}

/** The legal name that the caller probably meant, or null: another case, a slip or two, or one begins with the other. */
export function nearestName(name: string, legal: readonly string[]): string | null {
  const lower = name.toLowerCase()
  let best: string | null = null
  let least = Infinity
  for (const one of legal) {
    const slips = lower === one.toLowerCase() ? 0 : countSlips(one, name)
    if (slips <= (one.length > 7 ? 2 : 1) && slips < least) {
      best = one
      least = slips
    }
  }
  if (best !== null || name.length < 4) return best
  return (
    legal.find((one) => one.toLowerCase().startsWith(lower) || lower.startsWith(one.toLowerCase())) ?? null
  )
}

/**
 * The number of letters to insert, remove, change or swap with the next to turn one word into the other (optimal string
 * alignment).
 */
export function countSlips(a: string, b: string): number {
  // Far apart in length: the number is at least this, and long names cost nothing.
  if (Math.abs(a.length - b.length) > 2) return 3
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const changed = (row[j - 1] as number) + (isSame ? 0 : 1)
      let least = Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] as number) + 1)
      }
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length] as number
}

/**
 * Reads options, each once. Their legal names, checks and defaults are those of `checks`.
 * @param what how the error names the options, such as `ServerOptions`
 * @param given the options of the caller
 * @param checks one for each option of the type of `given`, and no others
 * @returns every option, checked, with its default filled in
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name; what a getter of
 *   `given` throws
 */
export function readOptions<Options extends object, C extends Checks<Options>>(
  what: string,
  given: Options,
  checks: C & { readonly [Name in Exclude<keyof C, keyof Options>]: never },
  advice: Advice = NO_ADVICE,
): Read<C> {
  checkOptionNames(what, given, checks, advice)
  return readValues(given, checks, advice.prefix)
}

/**
 * Reads the options of an object that has other properties as well, such as a service. See {@link readOptions}.
 * @param prefix stands before the name of an option in errors
 */
export function readValues<Options extends object, C extends Checks<Options>>(
  given: Options,
  checks: C,
  prefix = '',
): Read<C> {
  const read: Record<string, unknown> = {}
  for (const name of Object.keys(checks)) {
    const check = (checks as Readonly<Record<string, Check<unknown>>>)[name] as Check<unknown>
    read[name] = check(prefix + name, (given as Readonly<Record<string, unknown>>)[name])
  }
  return read as Read<C>
}

/**
 * Refuses arguments that a function does not have, such as a callback: they would be ignored in silence.
 * @param surplus the first argument too many; `undefined` is none
 * @param call the function, with the arguments that it has
 * @param instead what to use instead
 * @throws TypeError if there is one
 */
export function refuseSurplus(surplus: unknown, call: string, instead: string): void {
  if (surplus === undefined) return
  throw new TypeError(`${call} takes no further argument, and was given ${showValue(surplus)}: ${instead}`)
}

/** Whether a value is a promise, or acts as one. A value whose `then` throws when it is read counts as one that rejects. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    return true
  }
}

/**
 * Refuses a promise where a function of the application must answer at once. What the promise rejects with is dropped: it
 * says less than that there must be no promise.
 * @param message of the error
 * @throws TypeError for a promise
 */
export function refusePromise(value: unknown, message: string): void {
  if (!isThenable(value)) return
  Promise.resolve(value).catch(() => undefined)
  throw new TypeError(message)
}

/**
 * Reads the yes or no of a function of the application: what counts as false in JavaScript is no, as `list && list.has(name)`
 * gives it. Any other value than true may mean either, and is an error.
 * @param rule the start of the message: who must return true or false
 * @param instead the end of the message for a promise
 * @throws TypeError for a promise, or for a value that is not true and does not count as false
 */
export function isYes(answer: unknown, rule: string, instead: string): boolean {
  if (typeof answer === 'boolean') return answer
  refusePromise(answer, `${rule}, not a promise${instead}`)
  if (answer) throw new TypeError(`${rule}, not ${showValue(answer)}`)
  return false
}

/** Calls a function of the application whose result is not used. @param failed gets what it throws, now or later */
export function contain(call: () => unknown, failed: (thrown: unknown) => void): void {
  try {
    const result = call()
    if (isThenable(result)) Promise.resolve(result).catch(failed)
  } catch (thrown) {
    failed(thrown)
  }
}

/** A check by a test, whose error says what is legal. */
const kind =
  <T>(legal: string, isLegal: (value: unknown) => boolean, fallback: T): Check<T> =>
  (name, value) => {
    if (value === undefined) return fallback
    if (!isLegal(value)) throw new TypeError(`${name} must be ${legal}, not ${showValue(value)}`)
    return value as T
  }

/** Checks for true or false. */
export const boolean = <const T extends boolean | undefined>(fallback: T): Check<boolean | T> =>
  kind('true or false', (value) => typeof value === 'boolean', fallback as boolean | T)

/** Checks for a string. */
export const string = <const T extends string | undefined>(fallback: T): Check<string | T> =>
  kind('a string', (value) => typeof value === 'string', fallback as string | T)

/** Checks for a number. */
export const number =
  <const T extends number | undefined>(rule: NumberRule, fallback: T): Check<number | T> =>
  (name, value) =>
    value === undefined ? fallback : checkNumber(name, value, rule)

/** Checks for a number, or false for none: that is Infinity. */
export const numberOrOff =
  <const T extends number | undefined>(rule: NumberRule, fallback: T): Check<number | T> =>
  (name, value) => {
    if (value === undefined) return fallback
    return value === false ? Infinity : checkNumber(name, value, rule)
  }

/** Checks for a function, or none. */
export const optionalFunction = <F>(): Check<F | undefined> =>
  kind('a function', (value) => typeof value === 'function', undefined as F | undefined)

/**
 * Checks for an object (an array is one), or none.
 * @param legal what it is, for the error
 */
export const optionalObject = <T extends object>(legal: string): Check<T | undefined> =>
  kind(legal, (value) => typeof value === 'object' && value !== null, undefined as T | undefined)

/** Checks for an AbortSignal, or none. */
export const optionalSignal: Check<AbortSignal | undefined> = kind(
  'an AbortSignal',
  (value) => value instanceof AbortSignal,
  undefined as AbortSignal | undefined,
)

/** Checks for one of a few strings. */
export const oneOf = <const T extends string>(legal: readonly T[], fallback: NoInfer<T>): Check<T> =>
  kind(listOf(legal), (value) => (legal as readonly unknown[]).includes(value), fallback)

/** Checks for one of a few strings, which has no default. */
export const requiredOneOf =
  <const T extends string>(legal: readonly T[]): Check<T> =>
  (name, value) => {
    if ((legal as readonly unknown[]).includes(value)) return value as T
    throw new TypeError(`${name} must be ${listOf(legal)}, not ${showValue(value)}`)
  }

function listOf(legal: readonly string[]): string {
  const quoted = legal.map((value) => `'${value}'`)
  return [quoted.slice(0, -1).join(', '), ...quoted.slice(-1)].filter((part) => part !== '').join(' or ')
}

/** A value that may be anything, or that its user checks. */
export const unchecked =
  <T>(): Check<T> =>
  (_name, value) =>
    value as T
