/** The limits of a configuration with their defaults, by the table of docs/limits.md: what fills in the docs needs no build. */
import { readFileSync } from 'node:fs'

const PAGE = new URL('../../docs/limits.md', import.meta.url)
const UNITS = { KiB: 1024, MiB: 1024 * 1024 }

/** The default of a server for a limit that counts bytes or pongs. */
function defaultOf(name, page) {
  const [, cell] = new RegExp(`^\\| \`${name}\` +\\| ([^|]+?) +\\|`, 'm').exec(page) ?? []
  const [, number, unit] = /(?:server )?(\d+)(?: (KiB|MiB))?/.exec(cell ?? '') ?? []
  if (number === undefined) throw new Error(`docs/limits.md has no default for ${name}`)
  return Number(number) * (UNITS[unit] ?? 1)
}

const NEEDED = [
  'maxMessageBytes',
  'maxBufferedOutputBytes',
  'maxPendingPongs',
  'maxQueuedBytes',
  'maxHeaderBytes',
]

/** @param options of a server */
export function resolveLimitsOf({ limits = {} }) {
  const page = readFileSync(PAGE, 'utf8')
  return Object.fromEntries(NEEDED.map((name) => [name, limits[name] ?? defaultOf(name, page)]))
}
