import { quote, readFlags, readInteger, readOrigin, UsageError } from './flags.js'

/** What a command line of `hawser serve` asks for. */
export interface ServeCommand {
  readonly kind: 'serve'
  readonly host: string
  readonly port: number
  /** Further origins whose pages may connect, beside the command's own. */
  readonly origins: readonly string[]
  /** Whether it serves an echo at every path, and no page. */
  readonly isEcho: boolean
}

const DEFAULT_HOST = 'localhost'
const DEFAULT_PORT = 8080
const MAX_PORT = 65_535

const FLAGS = {
  host: { type: 'string' },
  port: { type: 'string', short: 'p' },
  origin: { type: 'string' },
  echo: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `hawser serve --help` prints. */
export const SERVE_HELP = `Usage: hawser serve [flags]

Serves a WebSocket echo, a chat, and a page that shows both at work, the echo
frame by frame. The page is at /, the echo at /echo, the chat at
/chat/ROOM?name=NAME.

  --host NAME                 where to listen (default ${DEFAULT_HOST}; 0.0.0.0 for
                              every network of this machine)
  --port, -p PORT             0 to ${String(MAX_PORT)} (default ${String(DEFAULT_PORT)}; 0 takes a free one)
  --origin ORIGIN             lets pages of another origin connect, such as
                              https://app.example; may be repeated
  --echo                      serves an echo at every path, and nothing else; it
                              takes the first subprotocol that a client offers
  --help, -h                  prints this

Ctrl+C closes all connections with 1001; a second one cuts them.
`

/**
 * Reads the command line of `hawser serve`.
 * @param argv without the program, the script and the command
 * @returns null: it asks for help
 * @throws UsageError
 */
export function readServeArguments(argv: readonly string[]): ServeCommand | null {
  let host = DEFAULT_HOST
  let port = DEFAULT_PORT
  let isEcho = false
  let wantsHelp = false
  const origins: string[] = []
  for (const part of readFlags(argv, FLAGS)) {
    if (part.name === null) throw new UsageError(`unexpected argument ${quote(part.value)}`)
    const { name, value } = part
    if (name === 'help') wantsHelp = true
    else if (name === 'echo') isEcho = true
    else if (name === 'host') host = readHost(value)
    else if (name === 'port') port = readInteger('--port', value, 0, MAX_PORT)
    else origins.push(readOrigin('--origin', value))
  }
  return wantsHelp ? null : { kind: 'serve', host, port, origins, isEcho }
}

/** A name or an address, without the brackets that an IPv6 address has in a URL. */
function readHost(value: string): string {
  const host = value.replace(/^\[(.*)\]$/, '$1')
  if (/^[\w.:%-]+$/.test(host)) return host
  throw new UsageError(`--host must be a name or an IP address such as 127.0.0.1, not ${quote(value)}`)
}
