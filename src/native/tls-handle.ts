/**
 * The handle of a TLS socket, beside the socket: it reads into the buffer that all connections share, and is written to without
 * the stream between (docs/adr/0019). The socket stays what it is: its handshake, errors, end and close go their documented
 * ways, and what is written to it as a stream leaves after what was written by the handle.
 */
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { isNativeOn } from './native-switch.js'
import { isUsedByHttp } from './pending-response.js'
import { lane } from './simd.js'
import {
  handleKit,
  isHandle,
  systemError,
  type Handle,
  type HandleKit,
  type HandleRequest,
} from './socket-handle.js'

/** How a socket finds who drives it. */
const DRIVER = Symbol('hawser.tls-driver')

/** Who uses the handle of a TLS socket, as far as this file needs it. */
export interface TlsDriver {
  /** Whether a write by the handle is under way. Node ends the process at a second one. */
  isUnderWay: boolean
  /** Whether the stream has a write, empty ones among them, which do not count in its `writableLength`. */
  isStreamBusy: boolean
  /** What the stream wants to do next, once no write is under way. */
  afterWrite: (() => void) | null
  /** Bytes came, in order. @param chunk valid during the call only. @returns false: no more are wanted for now */
  receiveByHandle(chunk: Buffer): boolean
  /** The write is no longer under way. */
  writtenByHandle(error: Error | null): void
}

type Done = (error?: Error | null) => void

type DrivenSocket = Duplex & { [DRIVER]?: TlsDriver }

/** The handle of a TLS socket, and that of the socket below it, which knows what the system did not take. */
export interface TlsHandle extends Handle {
  readonly _parent: Handle
  writev: NonNullable<Handle['writev']>
}

/** Lets the stream write, or end, when no write by the handle is under way. */
function later(socket: DrivenSocket, step: () => void): void {
  const driver = socket[DRIVER]
  if (driver?.isUnderWay === true) driver.afterWrite = step
  else step()
}

/** The stream has a write until this is called in the place of `done`. */
function busy(socket: DrivenSocket, done: Done): Done {
  const driver = socket[DRIVER]
  if (driver === undefined) return done
  driver.isStreamBusy = true
  return (error) => {
    driver.isStreamBusy = false
    done(error)
  }
}

/** What a socket becomes whose handle is used: a prototype, so that a connection pays nothing for it. */
class DrivenTlsSocket extends TLSSocket {
  override _write(chunk: { readonly length: number }, encoding: BufferEncoding, done: Done): void {
    const written = busy(this, done)
    const write = (): void => {
      later(this, () => {
        super._write(chunk, encoding, written)
      })
    }
    // An empty one, as `renegotiate` makes, lets TLS read at once: into the buffer whose bytes a handler may be called for.
    if (chunk.length === 0) setImmediate(write)
    else write()
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    const written = busy(this, done)
    later(this, () => {
      ;(super._writev as NonNullable<Duplex['_writev']>)(chunks, written)
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    later(this, () => {
      super._final(done)
    })
  }
}

/** Node's function calls this where the option `onread` of a socket has its callback. */
function onRead(this: DrivenSocket, length: number): boolean {
  return (this[DRIVER] as TlsDriver).receiveByHandle(lane.lend(length))
}

/** A listener to one of these gets what the stream reads. */
const READ_EVENTS = ['data', 'readable'] as const

type KeyedSocket = TLSSocket & { readonly _handle: unknown; [key: symbol]: unknown }

/**
 * The handle of a TLS socket to which nobody listens.
 * @returns null if the socket must be used as it is
 */
export function tlsHandleOf(duplex: Duplex): TlsHandle | null {
  if (Object.getPrototypeOf(duplex) !== TLSSocket.prototype) return null
  const kit = handleKit()
  if (kit === null) return null
  const socket = duplex as unknown as KeyedSocket
  const { _handle: handle } = socket
  if (!isHandle(handle) || handle.onread !== kit.onread || handle[kit.ownerKey] !== socket) return null
  // TLS over a stream of JavaScript has none below.
  if (!isHandle((handle as TlsHandle)._parent) || typeof handle.writev !== 'function') return null
  if (isUsedByHttp(socket) || socket.destroyed || !socket.writable || !socket.readable) return null
  if (READ_EVENTS.some((event) => socket.listenerCount(event) > 0)) return null
  // As the option `onread` leaves a socket that does not use it.
  const keys = [kit.bufferKey, kit.callbackKey, kit.generatorKey]
  return keys.every((key) => socket[key] === null) ? (handle as TlsHandle) : null
}

/** The socket that a TLS socket is over, where it tells: the caller makes sure that it is the one. */
export function socketBelow(socket: Duplex): NetSocket | null {
  const { _parent: below } = socket as { _parent?: unknown }
  return isNativeOn && below instanceof NetSocket ? below : null
}

/** Reads and writes by the handle from now on. What the stream has read, or has to write, stays its own. */
export function driveTls(duplex: Duplex, handle: TlsHandle, driver: TlsDriver): void {
  const { bufferKey, callbackKey } = handleKit() as HandleKit
  const socket = duplex as unknown as KeyedSocket
  handle.useUserBuffer(lane.readBuffer)
  socket[bufferKey] = lane.readBuffer
  socket[callbackKey] = onRead
  socket[DRIVER] = driver
  Object.setPrototypeOf(socket, DrivenTlsSocket.prototype)
}

/** A request of Node's which has been used, and can be again. */
let spare: HandleRequest | null = null

/** The number of a request that no call holds. */
const NOT_UNDER_WAY = -1

function takeRequest(): HandleRequest | null {
  const { WriteRequest } = handleKit() as HandleKit
  if (WriteRequest === null) return null
  const request = spare
  spare = null
  return request?.getAsyncId() === NOT_UNDER_WAY ? request : new WriteRequest()
}

/** The request of the call that has not returned: where the system refuses the bytes, it ends inside that call. */
let inWrite: HandleRequest | null = null
/** With which status it ended inside that call. */
let endedWith: number | null = null

function onWritten(this: HandleRequest, status: number): void {
  if (this === inWrite) endedWith = status
  else endRequest(this, status)
}

function endRequest(request: HandleRequest, status: number): void {
  const driver = request.owner as TlsDriver
  const { afterWrite } = driver
  request.owner = null
  // One that failed has a text of its error.
  if (status === 0) spare = request
  driver.isUnderWay = false
  driver.afterWrite = null
  driver.writtenByHandle(status < 0 ? writeError(status, request) : null)
  afterWrite?.()
}

/** TLS gives the reason of an error as text. */
function writeError(status: number, request: HandleRequest | null): Error {
  const error = systemError('write', status)
  const reason = (request as { error?: unknown } | null)?.error
  if (typeof reason === 'string') error.message += ` ${reason}`
  return error
}

/**
 * Writes by the handle, where neither a write by the handle nor one of the stream is under way. TLS has encrypted all bytes when
 * this returns, or copied them: nobody holds them any more. Where it is under way then, the driver is told of its end.
 * @returns null, or why it failed
 */
export function writeTls(
  handle: TlsHandle,
  driver: TlsDriver,
  bytes: Buffer,
  payload: Uint8Array | null,
): Error | null {
  const given = takeRequest()
  if (given !== null) prepare(given, driver)
  let result
  endedWith = null
  inWrite = given
  try {
    result =
      payload === null ? handle.writeBuffer(given, bytes) : handle.writev(given, [bytes, payload], true)
  } finally {
    inWrite = null
  }
  const request = typeof result === 'number' ? given : result
  if (typeof result === 'number' && result !== 0) return writeError(result, request)
  const status = endedWith ?? request?.writeStatus ?? null
  if (status !== null && status < 0) return writeError(status, request)
  if (request === null || request.getAsyncId() === NOT_UNDER_WAY) return null
  if (given === null) prepare(request, driver)
  driver.isUnderWay = true
  return null
}

function prepare(request: HandleRequest, driver: TlsDriver): void {
  request.owner = driver
  request.oncomplete = onWritten
}

/** How many bytes the system has not taken of what was written. */
export const untakenBytes = (handle: TlsHandle): number => handle._parent.writeQueueSize
