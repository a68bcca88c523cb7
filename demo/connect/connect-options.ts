import { readFileSync } from 'node:fs'
import { createSecureContext, type ConnectionOptions as TlsOptions } from 'node:tls'
import type { ConnectOptions } from 'hawser'
import { errorText } from '../error-text.js'
import { UsageError } from '../flags.js'
import type { WireReport } from '../frame-tap.js'
import type { ConnectCommand, TlsFiles } from './connect-arguments.js'
import { FramesAgent } from './frames-agent.js'

/**
 * The options of `connect` for a command line.
 * @param onFrame hears of frames, if the command line asks for them
 * @throws UsageError for files that cannot be read or hold no certificate or key
 */
export function connectOptions(
  command: ConnectCommand,
  onFrame: (report: WireReport) => void,
): ConnectOptions<undefined> {
  const { headers, protocols, origin, timeoutMs, usesCompression, proxy, redirects } = command
  return {
    headers: headers.map(([name, value]) => [name, value] as const),
    protocols,
    tls: tlsOptions(command.tls),
    perMessageDeflate: usesCompression,
    redirects,
    ...(command.showsFrames ? { agent: new FramesAgent(onFrame) } : {}),
    ...(proxy === undefined ? {} : { proxy }),
    ...(origin === undefined ? {} : { origin }),
    ...(timeoutMs === undefined ? {} : { handshakeTimeoutMs: timeoutMs }),
  }
}

function tlsOptions({ ca, cert, key, isInsecure }: TlsFiles): TlsOptions {
  const options: TlsOptions = {}
  if (ca.length > 0) options.ca = ca.map((name) => readPem('--ca', name))
  if (cert !== undefined) {
    options.cert = readPem('--cert', cert)
    options.key = key === undefined ? options.cert : readPem('--key', key)
  }
  if (isInsecure) options.rejectUnauthorized = false
  check('--ca', { ca: options.ca })
  check(key === undefined ? '--cert' : '--cert and --key', { cert: options.cert, key: options.key })
  return options
}

function readPem(flag: string, name: string): string {
  try {
    return readFileSync(name, 'utf8')
  } catch (error) {
    throw new UsageError(`${flag} must be a file that can be read: ${errorText(error)}`)
  }
}

/** Before anything is sent: a wrong file is a wrong command line, not a server that cannot be reached. */
function check(flags: string, options: Parameters<typeof createSecureContext>[0]): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new UsageError(`${flags} must be PEM that belongs together: ${errorText(error)}`)
  }
}
