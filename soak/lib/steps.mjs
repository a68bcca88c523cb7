/**
 * Scripts of peers, as data: lists of steps over bytes that are made before. The program in C (load/scripts.c) and the one in
 * JavaScript (nodes/script-peers.mjs, for TLS) follow the same ones. Frames are made here by hand, and not by Hawser.
 */
import { deflateRawSync, constants } from 'node:zlib'

/** How long a peer waits for what it expects before its script counts as stuck. */
export const PATIENCE_MS = 30_000

/** @param {string | Uint8Array} bytes text is latin1 */
export const send = (...bytes) => ({ op: 'send', bytes: join(bytes) })
/** Waits for the end of the response's head. @param status of a script that goes on; 0: any but 101 */
export const head = (status = 101) => ({ op: 'head', status, ms: PATIENCE_MS })
/** Waits for so many bytes after the head. */
export const read = (count) => ({ op: 'read', count, ms: PATIENCE_MS })
/** Reads until the other end is done, by FIN or RST. */
export const end = (ms = PATIENCE_MS) => ({ op: 'end', ms })
/** Neither reads nor writes. */
export const wait = (ms) => ({ op: 'wait', ms })
export const fin = () => ({ op: 'fin' })
/** Both end the script. */
export const reset = () => ({ op: 'reset' })
export const close = () => ({ op: 'close' })
/** Sends the same again and again, as fast as the other end takes it, and forgets what comes; until the other end is done. */
export const flood = (bytes, ms) => ({ op: 'flood', bytes: join([bytes]), ms })
/** Sends byte by byte. */
export const dribble = (bytes, ms) => ({ op: 'dribble', bytes: join([bytes]), ms })
/** Does not read until the other end is done, or the time is up. */
export const deaf = (ms) => ({ op: 'deaf', ms })

const join = (parts) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))

const MASK = Buffer.of(0x5a, 0x0f, 0x96, 0xc3)

/** A frame of a client, masked. @param first its first byte: FIN, RSV and opcode */
export function frame(first, payload = '', announced) {
  const bytes = join([payload])
  const length = announced ?? bytes.length
  const header =
    length < 126
      ? Buffer.of(first, 0x80 | length)
      : length < 0x1_0000
        ? Buffer.of(first, 0xfe, length >> 8, length & 0xff)
        : Buffer.of(
            first,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 0xff,
            (length >> 8) & 0xff,
            length & 0xff,
          )
  return Buffer.concat([header, MASK, bytes.map((byte, at) => byte ^ MASK[at & 3])])
}

export const text = (payload) => frame(0x81, payload)
export const ping = (payload = '') => frame(0x89, payload)
export const closeFrame = (code, reason = '') =>
  frame(
    0x88,
    code === undefined ? '' : Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]),
  )

/** The payload of a compressed message (RFC 7692 section 7.2.1). */
export function deflated(bytes) {
  const whole = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  return whole.subarray(0, whole.length - 4)
}

export const OFFER = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n'

/** The request of an upgrade. @param fields further fields, each with its CRLF */
export const request = (path = '/', fields = '') =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nOrigin: http://localhost\r\n` +
  `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${fields}\r\n`

/** A script that opens a connection, and then takes these steps. */
export const opened = (path, ...steps) => [send(request(path)), head(), ...steps]
/** The same with permessage-deflate. */
export const openedWithDeflate = (path, ...steps) => [send(request(path, OFFER)), head(), ...steps]
