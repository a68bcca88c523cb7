/**
 * The key of the opening handshake and its answer (RFC 6455 sections 4.1 and 4.2.2). Only this file of `handshake`
 * imports a module of Node.
 */

import * as crypto from 'node:crypto'
import { characterTable } from './tokens.js'

/** Appended to the key before hashing (RFC 6455 section 1.3). */
const KEY_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const KEY_BYTES = 16
/** 22 characters carry the 16 bytes; two '=' pad them to 24. */
const KEY_CHARACTERS = 22

const BASE64 = characterTable('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')

/**
 * Makes the value of a Sec-WebSocket-Key header (RFC 6455 section 4.1): 16 bytes from a cryptographic source.
 * @returns 24 characters of base64
 */
export function createKey(): string {
  return crypto.randomBytes(KEY_BYTES).toString('base64')
}

/** `crypto.hash` exists from Node 20.12 on and takes half the time. */
const sha1: (text: string) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha1', text, 'base64')
    : (text) => crypto.createHash('sha1').update(text, 'latin1').digest('base64')

/**
 * Computes a server's answer to a key (RFC 6455 section 4.2.2, step 5.4).
 * @param key the value of Sec-WebSocket-Key, as sent
 * @returns the value of Sec-WebSocket-Accept: SHA-1 of key and GUID, 28 characters of base64
 */
export function computeAccept(key: string): string {
  return sha1(key + KEY_GUID)
}

/**
 * Whether this is base64 for 16 bytes (RFC 6455 section 4.2.1). The unused bits of the last character may have any
 * value: the RFC's own example, `AQIDBAUGBwgJCgsMDQ4PEC==`, sets some.
 */
export function isValidKey(key: string): boolean {
  if (key.length !== KEY_CHARACTERS + 2 || !key.endsWith('==')) return false
  for (let i = 0; i < KEY_CHARACTERS; i++) {
    if (BASE64[key.charCodeAt(i)] !== 1) return false
  }
  return true
}
