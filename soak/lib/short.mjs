/** What both processes of the leaks have in common: limits and times that short connections reach, and TLS. */
import { readFileSync } from 'node:fs'

export const SHORT_LIMITS = { maxMessageBytes: 64 * 1024, maxHeaderBytes: 16 * 1024 }

/** In milliseconds: long enough for a busy machine, short enough for a million connections. */
export const SHORT_TIMES = {
  handshakeTimeoutMs: 2_000,
  sendTimeoutMs: 300,
  closeTimeoutMs: 300,
  heartbeatIntervalMs: 250,
  heartbeatTimeoutMs: 250,
}

const certificate = (name) =>
  readFileSync(new URL(`../../test/helpers/certificates/${name}`, import.meta.url))

/** Key and certificate of the tests. */
export const tlsFiles = () => ({ key: certificate('server-key.pem'), cert: certificate('server.pem') })
export const trustedFiles = () => ({ ca: certificate('ca.pem'), servername: 'localhost' })
