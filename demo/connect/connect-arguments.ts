import { quote, readFlags, readInteger, readOrigin, readSeconds, UsageError } from '../flags.js'
import { BINARY_FORMATS, isBinaryFormat, type BinaryFormat } from './binary-formats.js'
import { EXIT_MEANINGS, SIGNAL_EXITS } from './exit-codes.js'

/** What a command line of `hawser connect` asks for. */
export interface ConnectCommand {
  readonly kind: 'connect'
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly protocols: readonly string[]
  readonly origin: string | undefined
  readonly tls: TlsFiles
  /** The time for the opening handshake; undefined: Hawser's own. */
  readonly timeoutMs: number | undefined
  readonly usesCompression: boolean
  /** The URL of an HTTP proxy, or `env` for the one that the environment names. */
  readonly proxy: string | undefined
  /** How many redirects to follow. */
  readonly redirects: number
  /** The time between two pings, or null for none. */
  readonly pingIntervalMs: number | null
  /** Whether JSON is indented; null: on a terminal. */
  readonly indentsJson: boolean | null
  /** What a line of the input stands for; null: a text message. */
  readonly binary: BinaryFormat | null
  /** Whether messages are separated by NUL in the place of a line feed, in the input and the output. */
  readonly isNullSeparated: boolean
  /** How long to wait for messages after the end of the input: Infinity for ever, null the default. */
  readonly waitMs: number | null
  /** The number of messages to receive, or null for no end. */
  readonly count: number | null
  /** Whether it connects again when the connection is lost. */
  readonly reconnects: boolean
  /** Whether every frame is shown, both ways. */
  readonly showsFrames: boolean
  readonly isVerbose: boolean
}

/** Names of PEM files, and whether any certificate of a server will do. */
export interface TlsFiles {
  readonly ca: readonly string[]
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly isInsecure: boolean
}

/** How long a command waits for replies after the end of its input. */
export const DEFAULT_WAIT_MS = 1000
const MAX_COUNT = 1_000_000_000
/** What the option `redirects` of `connect` takes. */
const MAX_REDIRECTS = 20

const FLAGS = {
  header: { type: 'string', short: 'H' },
  subprotocol: { type: 'string', short: 's' },
  origin: { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  insecure: { type: 'boolean', short: 'k' },
  timeout: { type: 'string' },
  'no-compression': { type: 'boolean' },
  proxy: { type: 'string' },
  redirects: { type: 'string' },
  'ping-interval': { type: 'string' },
  json: { type: 'boolean' },
  'no-json': { type: 'boolean' },
  binary: { type: 'string' },
  null: { type: 'boolean', short: '0' },
  reconnect: { type: 'boolean' },
  wait: { type: 'string' },
  count: { type: 'string', short: 'n' },
  once: { type: 'boolean' },
  frames: { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `hawser connect --help` prints. */
export const CONNECT_HELP = `Usage: hawser connect URL [flags]

A WebSocket client. URL is ws://, wss://, http://, https:// or
ws+unix:/path/of/the/socket:/path; a user and a password in it are sent as basic
authentication. In a terminal each line that you type is sent as a message, and
messages are shown as they arrive; /help lists the commands there. Between pipes
each line of the input is sent as a message, and each message is written as a
line, without decoration.

The handshake
  --header, -H 'NAME: VALUE'  a header of the request; may be repeated
  --subprotocol, -s NAME      offers a subprotocol; may be repeated, best first
  --origin ORIGIN             the Origin header, such as https://app.example
  --timeout SECONDS           the time for the handshake (default 10)
  --no-compression            does not offer permessage-deflate
  --proxy URL                 goes through this HTTP proxy, or with env through
                              that of HTTPS_PROXY (wss), HTTP_PROXY (ws) and
                              NO_PROXY
  --redirects COUNT           follows up to so many redirects (default 0)

TLS
  --ca FILE                   trusts only the certificates in this PEM file; may
                              be repeated
  --cert FILE, --key FILE     the certificate of this client, and its key unless
                              the same PEM file holds it
  --insecure, -k              accepts any certificate

Messages
  --json, --no-json           indents JSON, or does not (default: on a terminal)
  --binary FORMAT             sends binary messages: each line is hex, base64,
                              file (its name) or text; a pipe gets binary
                              messages in this format (default, and for file:
                              hex)
  --null, -0                  messages end with NUL in the place of a line feed,
                              in the input and the output
  --ping-interval SECONDS     sends pings, and prints how long each takes
  --frames                    shows every frame, both ways
  --verbose, -v               says when the connection opens and closes

When to end
  --wait SECONDS              how long to wait for messages after the input has
                              ended, or forever (default ${String(DEFAULT_WAIT_MS / 1000)}; if --count is given:
                              forever)
  --count, -n COUNT           ends after this number of messages
  --reconnect                 connects again when the connection is lost
  --once                      the same as --count 1
  --help, -h                  prints this

Ctrl+C, Ctrl+D and the end of the input close with 1000, SIGTERM and SIGHUP with
1001. A second Ctrl+C or signal cuts the connection. What is not a message goes
to the standard error. NO_COLOR turns colours off.

Exit codes
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(5)}${meaning}`).join('\n')}
  ${Object.values(SIGNAL_EXITS).join(', ')}: cut by a second SIGHUP, SIGINT or SIGTERM, or ended by the
       first one before the connection was open
`

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** What flags may change. */
interface Draft extends Writable<Omit<ConnectCommand, 'headers' | 'protocols' | 'tls'>> {
  readonly headers: (readonly [string, string])[]
  readonly protocols: string[]
  readonly tls: Writable<Omit<TlsFiles, 'ca'>> & { readonly ca: string[] }
}

/**
 * Reads the command line of `hawser connect`.
 * @param argv without the program, the script and the command
 * @returns null: it asks for help
 * @throws UsageError
 */
export function readConnectArguments(argv: readonly string[]): ConnectCommand | null {
  const draft = emptyDraft()
  let wantsHelp = false
  for (const part of readFlags(argv, FLAGS)) {
    if (part.name === null) {
      // It may be a part of a header whose quotes were forgotten, and so a password.
      if (draft.url !== '')
        throw new UsageError('unexpected argument: there is one URL, and blanks need quotes')
      draft.url = part.value
    } else if (part.name === 'help') {
      wantsHelp = true
    } else {
      take(draft, part.name, part.value)
    }
  }
  if (wantsHelp) return null
  checkTogether(draft)
  return draft
}

const emptyDraft = (): Draft => ({
  kind: 'connect',
  url: '',
  headers: [],
  protocols: [],
  origin: undefined,
  tls: { ca: [], cert: undefined, key: undefined, isInsecure: false },
  timeoutMs: undefined,
  usesCompression: true,
  proxy: undefined,
  redirects: 0,
  pingIntervalMs: null,
  indentsJson: null,
  binary: null,
  isNullSeparated: false,
  waitMs: null,
  count: null,
  reconnects: false,
  showsFrames: false,
  isVerbose: false,
})

function take(draft: Draft, name: Exclude<keyof typeof FLAGS, 'help'>, value: string): void {
  switch (name) {
    case 'header':
      draft.headers.push(readHeader(value))
      return
    case 'subprotocol':
      draft.protocols.push(value)
      return
    case 'origin':
      draft.origin = readOrigin('--origin', value)
      return
    case 'ca':
      draft.tls.ca.push(value)
      return
    case 'cert':
      draft.tls.cert = value
      return
    case 'key':
      draft.tls.key = value
      return
    case 'insecure':
      draft.tls.isInsecure = true
      return
    case 'timeout':
      draft.timeoutMs = readSeconds('--timeout', value, 0.001)
      return
    case 'no-compression':
      draft.usesCompression = false
      return
    case 'proxy':
      draft.proxy = value
      return
    case 'redirects':
      draft.redirects = readInteger('--redirects', value, 0, MAX_REDIRECTS)
      return
    case 'ping-interval':
      draft.pingIntervalMs = readSeconds('--ping-interval', value, 0.1)
      return
    case 'json':
      draft.indentsJson = true
      return
    case 'no-json':
      draft.indentsJson = false
      return
    case 'binary':
      draft.binary = readBinaryFormat(value)
      return
    case 'null':
      draft.isNullSeparated = true
      return
    case 'reconnect':
      draft.reconnects = true
      return
    case 'wait':
      draft.waitMs = value === 'forever' ? Infinity : readSeconds('--wait', value, 0)
      return
    case 'count':
      draft.count = readInteger('--count', value, 1, MAX_COUNT)
      return
    case 'once':
      draft.count = 1
      return
    case 'frames':
      draft.showsFrames = true
      return
    case 'verbose':
      draft.isVerbose = true
  }
}

/** What one flag says about another, or about the URL. */
function checkTogether({ url, tls, proxy, showsFrames }: ConnectCommand): void {
  if (url === '') throw new UsageError('connect needs a URL, such as ws://localhost:8080/echo')
  if (tls.key !== undefined && tls.cert === undefined) throw new UsageError('--key needs --cert')
  if (showsFrames && proxy !== undefined) throw new UsageError('--frames and --proxy exclude each other')
  const flags = [
    ['--ca', tls.ca.length > 0],
    ['--cert', tls.cert !== undefined],
    ['--insecure', tls.isInsecure],
  ] as const
  const used = flags.find(([, isUsed]) => isUsed)
  if (used !== undefined && !/^(wss|https|wss\+unix):/i.test(url)) {
    throw new UsageError(`${used[0]} needs a URL with TLS: wss:, https: or wss+unix:`)
  }
}

function readHeader(value: string): readonly [string, string] {
  const match = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([^\0\r\n]*)$/.exec(value)
  if (match === null) {
    const flaw = /[\0\r\n]/.test(value)
      ? 'holds a line break or NUL'
      : 'does not begin with a name and a colon'
    throw new UsageError(`--header must be 'Name: value', such as 'Cookie: id=1', and this one ${flaw}`)
  }
  const [, name = '', text = ''] = match
  return [name, text.trimEnd()]
}

function readBinaryFormat(value: string): BinaryFormat {
  if (isBinaryFormat(value)) return value
  throw new UsageError(`--binary must be ${BINARY_FORMATS.join(', ')}, not ${quote(value)}`)
}
