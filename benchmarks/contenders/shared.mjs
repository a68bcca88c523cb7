/** What the servers have in common: flags, the bounds, and how they talk to the runner. Runs in Node, Bun and Deno. */
import { readFileSync } from 'node:fs'
import process from 'node:process'

/** What was asked for: `--deflate`, `--keep-context`, `--fanout`, `--tls`, `--return`. */
export const flags = {
  deflate: process.argv.includes('--deflate'),
  /** The client keeps its context between messages. */
  keepsContext: process.argv.includes('--keep-context'),
  fanout: process.argv.includes('--fanout'),
  tls: process.argv.includes('--tls'),
  /** The handler returns its reply, and does not call `send`. */
  returns: process.argv.includes('--return'),
}

export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
export const MAX_BUFFERED_BYTES = 512 * 1024 * 1024

const certificate = (name) => new URL(`../../test/helpers/certificates/${name}`, import.meta.url)

/** Key and certificate of the tests, where TLS was asked for. */
export function tlsOptions() {
  return flags.tls
    ? { key: readFileSync(certificate('server-key.pem')), cert: readFileSync(certificate('server.pem')) }
    : undefined
}

/**
 * Tells the runner the port, in one line. From then on SIGUSR2 collects garbage, and answers with another line.
 * @param uses what the contender uses in this process that another one may not have, as text
 */
export function ready(port, uses) {
  const collect = globalThis.Bun ? () => globalThis.Bun.gc(true) : (globalThis.gc ?? (() => undefined))
  process.on('SIGUSR2', () => {
    collect()
    setTimeout(() => {
      collect()
      console.log('{"collected":true}')
    }, 50)
  })
  console.log(JSON.stringify({ port, uses }))
}
