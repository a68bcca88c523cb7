/**
 * Accepting connections as handles, in place of a `net.Server`. The server listens, and can be given each connection
 * afterwards as if it had accepted it itself (docs/adr/0011).
 */
import type { Server as NetServer } from 'node:net'
import { handleKit, isHandle, type Handle, type HandleKit } from './socket-handle.js'

/** The handle of a server that listens, as far as it is used here. */
interface ListenHandle {
  onconnection: ((this: ListenHandle, status: number | undefined, handle: unknown) => void) | null
}

/** Receives the first bytes of a connection. */
export interface FirstReader {
  /** @param bytes null: the peer ended, or the connection failed. They are the reader's own */
  read(bytes: Buffer | null): void
}

/**
 * The handle of a connection that has no socket and no transport yet. Its reader stands where its owner will: one more
 * property would take 24 bytes of each connection.
 */
export type FreshHandle = Handle

const ignore = (): void => undefined
const ownerKeyOf = (): symbol => (handleKit() as HandleKit).ownerKey

/** One function for all connections. */
function onFirstBytes(this: Handle, bytes?: ArrayBuffer): void {
  const reader = this[ownerKeyOf()] as FirstReader | null
  reader?.read(bytes === undefined ? null : Buffer.from(bytes))
}

/**
 * Takes the connections of a server from now on.
 * @param server listens already
 * @param admit gets each connection
 * @returns gives a connection to the server, which then makes its own socket of it; null where this Node does not allow it,
 *   and the server goes on to accept by itself
 */
export function acceptHandles(
  server: NetServer,
  admit: (handle: FreshHandle) => void,
): ((handle: FreshHandle) => void) | null {
  if (handleKit() === null) return null
  const listening = (server as unknown as { readonly _handle?: ListenHandle | null })._handle ?? null
  const accept = listening?.onconnection
  if (listening === null || typeof accept !== 'function') return null
  listening.onconnection = (status, handle) => {
    if ((status === 0 || status === undefined) && isHandle(handle)) admit(handle)
    else accept.call(listening, status, handle)
  }
  return (handle) => {
    accept.call(listening, 0, handle)
  }
}

/** Reads a connection for the first time, into memory of its own. @returns false: it failed, and is closed */
export function readFirst(handle: FreshHandle, reader: FirstReader): boolean {
  handle[ownerKeyOf()] = reader
  handle.onread = onFirstBytes
  handle.setNoDelay?.(true)
  if (handle.readStart() === 0) return true
  closeFresh(handle)
  return false
}

/** Ends what {@link readFirst} began. @returns false: it failed; close the connection */
export function stopFirstRead(handle: FreshHandle): boolean {
  handle.onread = ignore
  handle[ownerKeyOf()] = null
  return handle.readStop() === 0
}

/** Closes a connection that has no socket and no transport. */
export function closeFresh(handle: FreshHandle): void {
  handle[ownerKeyOf()] = null
  handle.close(ignore)
}
