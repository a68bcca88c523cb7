/**
 * One way to check what the caller gives: names, defaults and messages of options come from one object of checks. Every
 * message says the name, what is legal, and the value.
 */

/**
 * Checks one value of the caller.
 * @param name how the error names it
 * @returns the value, or the default where it is `undefined`
 * @throws TypeError for a value of a wrong kind, RangeError for a number out of range
 */
export type Check<T> = (name: string, value: unknown) => T

/** A check for each option of a type: a missing one does not compile. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check<unknown> }

/** What {@link readOptions} makes of checks: each option with its default. */
export type Read<C> = { readonly [Name in keyof C]: C[Name] extends Check<infer T> ? T : never }

/** How a wrong value is shown in an error: short, and never its content beyond 40 characters. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  return typeof value === 'function' ? 'a function' : `a value of type ${typeof value}`
}

export interface NumberRule {
  readonly min: number
  /** Default: Infinity. */
  readonly max?: number
  readonly integer: boolean
}

/**
 * Checks a number given by the caller.
 * @throws TypeError for what is not a number, RangeError for one out of range: with name, value and range
 */
export function checkNumber(name: string, value: unknown, rule: NumberRule): number {
  const range = `${rule.integer ? 'an integer' : 'a number'} from ${String(rule.min)} to ${String(rule.max ?? Infinity)}`
  if (typeof value !== 'number') throw new TypeError(`${name} must be ${range}, not ${showValue(value)}`)
  const whole = !rule.integer || Number.isInteger(value) || value === Infinity
  if (Number.isNaN(value) || !whole || value < rule.min || value > (rule.max ?? Infinity)) {
    throw new RangeError(`${name} must be ${range}, not ${showValue(value)}`)
  }
  return value
}

/** @throws TypeError for what is not an object, and for a name that is not an option */
export function checkOptionNames(what: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${what} must be an object, not ${Array.isArray(options) ? 'an array' : showValue(options)}`,
    )
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name)) {
      throw new TypeError(`${what} has no option ${showValue(name)}; there are ${[...names].join(', ')}`)
    }
  }
}

/**
 * Reads options: the names that are legal, their checks and their defaults are those of `checks`.
 * @param what how the error names the options, such as `ServerOptions`
 * @param given the caller's
 * @param checks one for each option of the type of `given`, and none besides
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function readOptions<Options extends object, C extends Checks<Options>>(
  what: string,
  given: Options,
  checks: C & { readonly [Name in Exclude<keyof C, keyof Options>]: never },
): Read<C> {
  checkOptionNames(what, given, new Set(Object.keys(checks)))
  const read: Record<string, unknown> = {}
  for (const [name, check] of Object.entries<Check<unknown>>(checks)) {
    read[name] = check(name, (given as Record<string, unknown>)[name])
  }
  return read as Read<C>
}

/** A check that names what is legal, for a test of one value. */
const kind =
  <T>(legal: string, isLegal: (value: unknown) => boolean, fallback: T): Check<T> =>
  (name, value) => {
    if (value === undefined) return fallback
    if (!isLegal(value)) throw new TypeError(`${name} must be ${legal}, not ${showValue(value)}`)
    return value as T
  }

/** True or false. */
export const boolean = (fallback: boolean): Check<boolean> =>
  kind('true or false', (value) => typeof value === 'boolean', fallback)

export const string = (fallback: string): Check<string> =>
  kind('a string', (value) => typeof value === 'string', fallback)

/** A function, or none. */
export const optionalFunction = <F>(): Check<F | undefined> =>
  kind('a function', (value) => typeof value === 'function', undefined as F | undefined)

/** One of a few strings. */
export const oneOf = <const T extends string>(legal: readonly T[], fallback: NoInfer<T>): Check<T> => {
  const quoted = legal.map((value) => `'${value}'`)
  const list = [quoted.slice(0, -1).join(', '), ...quoted.slice(-1)]
    .filter((part) => part !== '')
    .join(' or ')
  return kind(list, (value) => (legal as readonly unknown[]).includes(value), fallback)
}

/** What is checked elsewhere. */
export const unchecked =
  <T>(): Check<T> =>
  (_name, value) =>
    value as T
