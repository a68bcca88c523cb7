import { parseArgs } from 'node:util'

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'serve'
      readonly host: string
      readonly port: number
      /** Further origins whose pages may connect, beside the command's own. */
      readonly origins: readonly string[]
    }

/** A wrong command line: the message is one line that says what is wrong and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const DEFAULT_HOST = 'localhost'
export const DEFAULT_PORT = 8080
const MAX_PORT = 65_535

const FLAGS = {
  host: { type: 'string' },
  port: { type: 'string', short: 'p' },
  origin: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `--help` prints. */
export const HELP = `Serves a WebSocket echo, a chat, and a page that shows both at work, the echo frame by frame.

Usage: hawser [flags]

  --host NAME      where to listen (default ${DEFAULT_HOST}; 0.0.0.0 for every network of this machine)
  --port, -p PORT  0 to ${String(MAX_PORT)} (default ${String(DEFAULT_PORT)}; 0 takes a free one)
  --origin ORIGIN  lets pages of another origin connect, such as https://app.example; may be repeated
  --help, -h       prints this

The page is at /, the echo at /echo, the chat at /chat/ROOM?name=NAME. Ctrl+C closes all connections with 1001; a second one cuts them.
`

/**
 * Reads the command line.
 * @param argv without the program and the script
 * @throws UsageError
 */
export function readArguments(argv: readonly string[]): Command {
  // Not strict: the errors of Node are several sentences long and do not fit this command.
  const { tokens } = parseArgs({ args: [...argv], options: FLAGS, strict: false, tokens: true })
  let host = DEFAULT_HOST
  let port = DEFAULT_PORT
  const origins: string[] = []
  let wantsHelp = false
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`unexpected argument ${quote(token.value)}`)
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (name === 'help') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
      wantsHelp = true
    } else if (name === 'host') {
      host = readHost(wanted(rawName, value))
    } else if (name === 'port') {
      port = readPort(wanted(rawName, value))
    } else if (name === 'origin') {
      origins.push(readOrigin(wanted(rawName, value)))
    } else {
      throw new UsageError(`unknown flag ${rawName}`)
    }
  }
  return wantsHelp ? { kind: 'help' } : { kind: 'serve', host, port, origins }
}

const quote = (text: string): string => JSON.stringify(text)

function wanted(flag: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new UsageError(`${flag} needs a value`)
  return value
}

function readPort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : NaN
  if (port <= MAX_PORT) return port
  throw new UsageError(`--port must be a whole number from 0 to ${String(MAX_PORT)}, not ${quote(value)}`)
}

/** A name or an address, without the brackets that an IPv6 address has in a URL. */
function readHost(value: string): string {
  const host = value.replace(/^\[(.*)\]$/, '$1')
  if (/^[\w.:%-]+$/.test(host)) return host
  throw new UsageError(`--host must be a name or an IP address such as 127.0.0.1, not ${quote(value)}`)
}

function readOrigin(value: string): string {
  const origin = URL.canParse(value) ? new URL(value).origin : 'null'
  if (origin !== 'null' && origin === value.toLowerCase()) return origin
  throw new UsageError(
    `--origin must be a scheme and a host without a path, such as https://app.example, not ${quote(value)}`,
  )
}
