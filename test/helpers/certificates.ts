/**
 * Certificates for tests, valid from 2020 to 2120: a server's for localhost, 127.0.0.1 and ::1, and a client's for
 * `ada`, each from a CA of its own. The keys are worthless: no system trusts these CAs, and the keys of the CAs are gone.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'

const read = (name: string): string => readFileSync(path.join(__dirname, 'certificates', name), 'utf8')

/** What a server needs. */
export const SERVER_TLS = { cert: read('server.pem'), key: read('server-key.pem') }
/** What a client needs to trust it. */
export const TRUST_SERVER = { ca: read('ca.pem') }
/** What a server needs to demand a certificate of its clients. */
export const DEMAND_CLIENT = { ca: read('client-ca.pem'), requestCert: true, rejectUnauthorized: true }
/** What a client needs to be let in then. */
export const CLIENT_TLS = { cert: read('client.pem'), key: read('client-key.pem') }
