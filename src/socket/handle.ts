/**
 * What Hawser uses of a `net.Socket` that Node does not document: its handle, and the objects that the handle's
 * writes need. All of it is looked for before it is used (docs/adr/0010); what is not there leaves the documented
 * way through the stream, which does the same and costs a quarter more for a small message.
 */
import { Socket as NetSocket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'

/** A write under way. One that ends at once leaves it untouched, so that it serves for the next. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void
  /** Kept alive until the write is done. */
  bytes?: Buffer | null
  owner?: unknown
}

/** A libuv stream, as Node wraps it: TCP or a pipe. */
export interface Handle {
  reading?: boolean
  readonly writeQueueSize: number
  readStop(): number
  /** @returns 0, or an error of the system, negative */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  close(callback?: () => void): void
}

interface WithHandle {
  _handle: Handle | null
  _server?: unknown
  server?: unknown
}

type MakeRequest = new () => WriteRequest

const METHODS = ['readStart', 'readStop', 'writeBuffer', 'useUserBuffer', 'shutdown', 'close'] as const

/** Whether this is a handle that can do all that is needed of it. */
export function isHandle(handle: unknown): handle is Handle {
  if (typeof handle !== 'object' || handle === null) return false
  const some = handle as Record<string, unknown>
  if (!METHODS.every((name) => typeof some[name] === 'function')) return false
  return typeof some['writeQueueSize'] === 'number' && some['isStreamBase'] === true
}

/**
 * The class of {@link WriteRequest}: what a socket gives its handle at a write, seen by a handle made for that.
 * @returns null if this Node does it in another way
 */
function findRequestClass(): MakeRequest | null {
  let seen: unknown = null
  const probe = {
    reading: false,
    readStart: () => 0,
    readStop: () => 0,
    getAsyncId: () => 0,
    writeBuffer(request: unknown) {
      seen = request
      return 0
    },
    close(done?: () => void) {
      if (done !== undefined) process.nextTick(done)
    },
  }
  try {
    const socket = new NetSocket({ handle: probe, manualStart: true } as SocketConstructorOpts)
    socket.on('error', () => undefined)
    socket.write(Buffer.of(0))
    socket.destroy()
    if (typeof seen !== 'object' || seen === null) return null
    const { constructor } = seen
    if (typeof constructor !== 'function' || constructor.name !== 'WriteWrap') return null
    const made: unknown = new (constructor as MakeRequest)()
    return made instanceof constructor ? (constructor as MakeRequest) : null
  } catch {
    return null
  }
}

let requestClass: MakeRequest | null | undefined

/** Whether this Node lets the handle be used; found out once. */
export function canUseHandles(): boolean {
  if (requestClass === undefined) requestClass = findRequestClass()
  return requestClass !== null
}

/** The request of the next write; those that end at once all take the same. */
let spare: WriteRequest | null = null

export function takeRequest(): WriteRequest {
  spare ??= new (requestClass as MakeRequest)()
  return spare
}

/** The request is in the system's hands: the next write gets another. */
export function requestIsTaken(): void {
  spare = null
}

/** The error of a call to the system, as node:net would tell it. */
export function systemError(call: string, status: number): Error {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`${call} ${code}`), { code, errno: status, syscall: call })
}

/**
 * A socket over a handle that reads into one buffer and calls back, with no stream between.
 * @param handle from now on the socket's
 */
export function socketOver(handle: Handle, onread: OnReadOpts): NetSocket {
  const options = { handle, onread, allowHalfOpen: true, manualStart: true }
  return new NetSocket(options)
}

export const handleOf = (socket: NetSocket): Handle | null => (socket as unknown as WithHandle)._handle

const EVENTS = ['data', 'readable', 'end', 'close', 'error', 'drain', 'finish'] as const

/**
 * Takes the handle out of a socket that is at rest: a plain one of node:net, with nothing buffered, that nobody
 * listens to.
 * @returns the handle; null if the socket must be used as it is
 */
export function takeHandle(duplex: Duplex): { handle: Handle; from: NetSocket } | null {
  const kind: unknown = Object.getPrototypeOf(duplex)
  if (kind !== NetSocket.prototype || !canUseHandles()) return null
  const socket: NetSocket = duplex as never
  const handle = handleOf(socket)
  if (!isHandle(handle) || socket.destroyed || socket.connecting || !socket.writable || !socket.readable) {
    return null
  }
  if (socket.readableLength > 0 || socket.writableLength > 0 || handle.writeQueueSize > 0) return null
  // 'end' has a listener of the socket's own.
  if (EVENTS.some((event) => socket.listenerCount(event) > (event === 'end' ? 1 : 0))) return null
  if (handle.readStop() !== 0) return null
  handle.reading = false
  socket.setTimeout(0)
  ;(socket as unknown as WithHandle)._handle = null
  return { handle, from: socket }
}

/** The server that counts the first socket counts the second in its place. */
export function moveServer(from: NetSocket, to: NetSocket): void {
  const old = from as unknown as WithHandle
  const fresh = to as unknown as WithHandle
  fresh._server = old._server
  fresh.server = old.server
  old._server = null
}
