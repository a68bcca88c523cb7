import { parseArgs } from 'node:util'

/** A wrong command line: the message is one line that says what is wrong and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A flag as `parseArgs` wants it. */
export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
}

/** A part of a command line: a flag with its value (empty for a boolean one), or an argument that is not a flag. */
export type CommandLinePart<Name extends string> =
  | { readonly name: Name; readonly rawName: string; readonly value: string }
  | { readonly name: null; readonly value: string }

/**
 * Reads a command line part by part.
 * @param argv without the program, the script and the command
 * @throws UsageError for a flag that is not in `flags`, a value that is missing or empty, and one that is not wanted
 */
export function* readFlags<Name extends string>(
  argv: readonly string[],
  flags: Readonly<Record<Name, Flag>>,
): Generator<CommandLinePart<Name>, void, undefined> {
  // Not strict: the errors of Node are several sentences long and do not fit this command.
  const { tokens } = parseArgs({ args: [...argv], options: flags, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') yield { name: null, value: token.value }
    if (token.kind !== 'option') continue
    const { rawName, value } = token
    if (!Object.hasOwn(flags, token.name)) throw new UsageError(`unknown flag ${rawName}`)
    const name = token.name as Name
    if (flags[name].type === 'boolean') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
      yield { name, rawName, value: '' }
    } else {
      if (value === undefined || value === '') throw new UsageError(`${rawName} needs a value`)
      yield { name, rawName, value }
    }
  }
}

/** A text as an error shows it: in quotes, on one line. */
export const quote = (text: string): string => JSON.stringify(text)

/**
 * Reads a whole number.
 * @throws UsageError
 */
export function readInteger(flag: string, value: string, min: number, max: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN
  if (number >= min && number <= max) return number
  throw new UsageError(
    `${flag} must be a whole number from ${String(min)} to ${String(max)}, not ${quote(value)}`,
  )
}

/** The longest time that a flag takes: some eleven days, which every timer of Node can hold. */
const MAX_SECONDS = 1_000_000

/**
 * Reads a time.
 * @param min in seconds
 * @returns milliseconds
 * @throws UsageError
 */
export function readSeconds(flag: string, value: string, min: number): number {
  const seconds = /^\d{1,7}(\.\d{1,6})?$/.test(value) ? Number(value) : NaN
  if (seconds >= min && seconds <= MAX_SECONDS) return seconds * 1000
  throw new UsageError(
    `${flag} must be seconds from ${String(min)} to ${String(MAX_SECONDS)}, such as 2.5, not ${quote(value)}`,
  )
}

/**
 * Reads an origin as browsers write it.
 * @throws UsageError
 */
export function readOrigin(flag: string, value: string): string {
  const origin = URL.canParse(value) ? new URL(value).origin : 'null'
  if (origin !== 'null' && origin === value.toLowerCase()) return origin
  // What stands before an @ may be a password.
  const shown = value.includes('@') ? 'a URL with a user' : quote(value)
  throw new UsageError(
    `${flag} must be a scheme and a host without a path, such as https://app.example, not ${shown}`,
  )
}
