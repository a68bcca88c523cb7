/**
 * A socket of node:net that stays whole: its events, `write`, `end` and `destroy` work as ever. It is read into the buffer that
 * all connections share, as with its documented option `onread`, which only the maker of a socket can give; and while it has
 * nothing to write, it is written at its handle. For the drop-in for `ws`, whose users hold the socket in their hands: docs/adr/0020.
 */
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { beginWrite } from './handle-stream.js'
import { isUsedByHttp } from './pending-response.js'
import { lane } from './simd.js'
import {
  handleKit,
  isHandle,
  restartTimeout,
  systemError,
  type Handle,
  type HandleRequest,
} from './socket-handle.js'

/** Takes what a socket received. */
export interface ChunkReceiver {
  /** @param chunk valid during the call only; may be changed */
  receive(chunk: Buffer): void
}

type Done = (error?: Error | null) => void

const RECEIVER = Symbol('hawser.receiver')

/** A socket as this file sees it. */
type LiveSocket = NetSocket & {
  [RECEIVER]?: ChunkReceiver
  readonly _handle: Handle | null
}

/** Node calls it with the socket as `this`, as it calls the `callback` of `onread`. */
function onRead(this: LiveSocket, length: number): boolean {
  this[RECEIVER]?.receive(lane.lend(length))
  return true
}

/**
 * Lets a receiver have what a socket reads from now on, by the shared buffer, without 'data'. Reading has not begun, or goes on.
 * @returns false: the socket is another kind of stream, or it is read already
 */
export function readShared(duplex: Duplex, receiver: ChunkReceiver): boolean {
  const kit = handleKit()
  const kind: unknown = Object.getPrototypeOf(duplex)
  if (kit === null || kind !== NetSocket.prototype || isUsedByHttp(duplex)) return false
  const socket: LiveSocket = duplex as never
  const keyed = duplex as unknown as Record<symbol, unknown>
  if (!isHandle(socket._handle) || socket.destroyed || socket.connecting) return false
  if (socket.readableLength > 0 || !socket.readable || keyed[kit.bufferKey] instanceof Uint8Array)
    return false
  if (socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0) return false
  socket._handle.useUserBuffer(lane.readBuffer)
  keyed[kit.bufferKey] = lane.readBuffer
  keyed[kit.generatorKey] = null
  keyed[kit.callbackKey] = onRead
  socket[RECEIVER] = receiver
  return true
}

/** The request of a write that the system did not take at once, with the stream's own callback. */
type StreamRequest = HandleRequest & { finish?: Done }

function onWritten(this: StreamRequest, status: number): void {
  this.bytes = null
  // As Node's own: what a socket did not write when it was destroyed is no error.
  const isOver = (this.owner as NetSocket | undefined)?.destroyed === true
  this.finish?.(status < 0 && !isOver ? systemError('write', status) : null)
}

const withPayload = (bytes: Buffer, payload: Uint8Array | null): Buffer =>
  payload === null ? bytes : Buffer.concat([bytes, payload])

/**
 * The stream gets a write that is under way, so that all of it holds: `writableLength`, 'drain', `end` and `destroy`. It is the
 * way of every writable stream, but for `_write`, which for this one call only keeps the callback.
 */
function adopt(socket: LiveSocket, request: StreamRequest, bytes: Buffer, done: Done): void {
  request.oncomplete = onWritten
  request.owner = socket
  socket._write = (_chunk, _encoding, finish) => {
    request.finish = finish
  }
  try {
    socket.write(bytes, done)
  } finally {
    delete (socket as Partial<LiveSocket>)._write
  }
}

/** What writes, with the callback of its writes. */
export interface Writer {
  readonly onWritten: Done
}

/**
 * Writes to a socket that {@link readShared} took: at its handle if it has nothing to write, else as its `write` does.
 * @param bytes nobody changes them any more, unless the result is true
 * @param payload follows `bytes` in the same write
 * @param owner its callback is called later unless the result is true, as that of `write`; it is not read before
 * @returns whether the system took all
 */
export function writeLive(duplex: Duplex, bytes: Buffer, payload: Uint8Array | null, owner: Writer): boolean {
  const socket: LiveSocket = duplex as never
  const handle = socket._handle
  const isIdle =
    handle !== null && socket.writableLength === 0 && socket.writable && socket.writableCorked === 0
  if (!isIdle) {
    socket.write(withPayload(bytes, payload), owner.onWritten)
    return false
  }
  const request = beginWrite(handle, bytes, payload)
  restartTimeout(socket)
  if (request === 0) return true
  if (typeof request === 'number') {
    const error = systemError('write', request)
    socket.destroy(error)
    process.nextTick(owner.onWritten, error)
  } else {
    adopt(socket, request, withPayload(bytes, payload), owner.onWritten)
  }
  return false
}
