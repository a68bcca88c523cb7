/**
 * The handle of a `net.Socket`, the objects that its calls need, and the function that takes what it reads. Everything is
 * looked for before it is used, and used only if it needs nothing that is not known here (docs/adr/0010). Where anything
 * is missing the stream is used as it is.
 */
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'
import { isNativeOn } from './native-switch.js'
import { isUsedByHttp } from './pending-response.js'

/** A call to the system that is under way. */
export interface HandleRequest {
  oncomplete?: (this: HandleRequest, status: number) => void
  /** Kept alive until the call is done. */
  bytes?: Uint8Array | readonly Uint8Array[] | null
  owner?: unknown
  /** Of Node 26: with what the call ended before it was known who is to hear of it; null: it goes on. */
  readonly writeStatus?: number | null
  /** @returns -1 while no call holds the request */
  getAsyncId(): number
}

type RequestClass = new () => HandleRequest

/** Node's own function, which takes what a handle read. It looks for the stream under {@link HandleKit.ownerKey}. */
type OnRead = (this: Handle, bytes?: ArrayBuffer) => void

/** What `getpeername` and `getsockname` of a handle fill in. */
export interface HandleName {
  address: string
  family: string | number
  port: number
}

/** A stream of libuv, as Node wraps it: TCP or a pipe. */
export interface Handle {
  /** Node ends the process when this is set to anything but a function. */
  onread: OnRead
  readonly writeQueueSize: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  /**
   * @param request Node 26 takes none, and makes one if it is needed
   * @returns 0, or an error of the system, negative; or the request that was made. A write that ends at once leaves
   *   the request given untouched
   */
  writeBuffer(request: HandleRequest | null, bytes: Uint8Array): number | HandleRequest
  /**
   * As {@link writeBuffer}, several pieces in one call of the system.
   * @param areBuffers true: no piece is text
   */
  writev?(
    request: HandleRequest | null,
    pieces: readonly Uint8Array[],
    areBuffers: boolean,
  ): number | HandleRequest
  /** @returns 0, 1 if it is done at once, or an error of the system, negative */
  shutdown(request: HandleRequest): number
  /** Calls back with the handle as `this`. */
  close(closed: (this: Handle) => void): void
  /** As {@link close}, with a RST; not while a shutdown is under way. TCP only. @returns 0, or an error, negative */
  reset?(closed: (this: Handle) => void): number
  /** Of TCP only, as `getsockname`. @returns 0, or an error of the system, negative */
  getpeername?(out: HandleName): number
  getsockname?(out: HandleName): number
  setNoDelay?(on: boolean): number
  [key: symbol]: unknown
}

/** What was found of this Node. */
export interface HandleKit {
  /** null: Node makes them itself. */
  readonly WriteRequest: RequestClass | null
  readonly ShutdownRequest: RequestClass
  /** Whether several pieces can be written in one call. */
  readonly hasWritev: boolean
  readonly onread: OnRead
  /** Under these the function finds the owner of a handle, and of the owner what it needs. */
  readonly ownerKey: symbol
  readonly bufferKey: symbol
  readonly callbackKey: symbol
  readonly generatorKey: symbol
  readonly timerKey: symbol
}

/** What Node's function may touch of the owner: an owner of ours has all of it, or does not need it. */
const KNOWN_KEYS = new Set(['kUpdateTimer', 'kBuffer', 'kBufferCb', 'kBufferGen', 'kMaybeDestroy'])
const KNOWN_NAMES = new Set([
  'constructor',
  'handle',
  'destroyed',
  'destroy',
  '_readableState',
  'push',
  'read',
  'on',
  'readableEnded',
  'once',
])

function touchesOnlyKnown(onread: OnRead): boolean {
  const source = Function.prototype.toString.call(onread)
  const keys = [...source.matchAll(/\bstream\[(\w+)\]/g)].map((match) => match[1] as string)
  const names = [...source.matchAll(/\bstream\.(\w+)/g)].map((match) => match[1] as string)
  return (
    keys.includes('kBufferCb') &&
    keys.every((key) => KNOWN_KEYS.has(key)) &&
    names.every((name) => KNOWN_NAMES.has(name))
  )
}

/** The class of a request of Node's, if it is one that can be made here. */
function requestClass(request: unknown, name: string): RequestClass | null {
  if (typeof request !== 'object' || request === null) return null
  const kind = request.constructor as RequestClass
  if (typeof kind !== 'function' || kind.name !== name) return null
  const made = new kind()
  return made instanceof kind && typeof made.getAsyncId === 'function' && made.getAsyncId() === -1
    ? kind
    : null
}

const symbolOf = (object: object, fits: (key: symbol) => boolean): symbol | null =>
  Object.getOwnPropertySymbols(object).find(fits) ?? null

const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? value.constructor : value

/** Whether this is how Node gives the two pieces that were written to the probe. */
const isPieces = (list: unknown): boolean =>
  Array.isArray(list) &&
  list.length === 2 &&
  list.every((piece, index) => Buffer.isBuffer(piece) && piece.equals(Buffer.of(index + 1)))

/**
 * Ends a write of the probe. Node asks the system whether the last write has ended, and hears of the last real one: if that was
 * under way, so is that of the probe, and what follows would wait for it.
 */
function endWrite(request: unknown): void {
  const { async, oncomplete } = (request ?? {}) as HandleRequest & { readonly async?: unknown }
  if (async === true) oncomplete?.call(request as HandleRequest, 0)
}

/** Lets a socket of Node's write to, and end, a handle made for the purpose, and looks at what it is given. */
function findKit(): HandleKit | null {
  let written: unknown
  let shut: unknown = null
  let pieces: unknown = null
  let joined: unknown
  const buffer = Buffer.alloc(1)
  const callback = (): boolean => true
  const probe = {
    reading: false,
    onread: null as OnRead | null,
    readStart: () => 0,
    readStop: () => 0,
    useUserBuffer: () => undefined,
    getAsyncId: () => 0,
    writeBuffer: (request: unknown) => ((written = request), 0),
    writev: (request: unknown, list: unknown, areBuffers: unknown) => {
      joined = request
      pieces = areBuffers === true && kindOf(request) === kindOf(written) ? list : null
      return 0
    },
    shutdown: (request: unknown) => ((shut = request), 1),
    close: (done?: () => void) => {
      if (done !== undefined) process.nextTick(done)
    },
  }
  const options = { handle: probe, onread: { buffer, callback }, manualStart: true, allowHalfOpen: true }
  const socket = new NetSocket(options)
  socket.on('error', () => undefined)
  socket.write(Buffer.of(0))
  endWrite(written)
  socket.cork()
  socket.write(Buffer.of(1))
  socket.write(Buffer.of(2))
  socket.uncork()
  endWrite(joined)
  socket.end()
  const ownerKey = symbolOf(probe, (key) => (probe as never)[key] === socket)
  const bufferKey = symbolOf(socket, (key) => (socket as never)[key] === buffer)
  const callbackKey = symbolOf(socket, (key) => (socket as never)[key] === callback)
  const generatorKey = symbolOf(socket, (key) => key.description === 'kBufferGen')
  const timerKey = symbolOf(NetSocket.prototype, (key) => key.description === 'kUpdateTimer')
  // At its end the socket puts another in its place.
  const { onread } = probe
  socket.destroy()
  const WriteRequest = requestClass(written, 'WriteWrap')
  const ShutdownRequest = requestClass(shut, 'ShutdownWrap')
  if ((WriteRequest === null && written !== null) || ShutdownRequest === null) return null
  if (ownerKey === null || bufferKey === null || callbackKey === null) return null
  if (generatorKey === null || timerKey === null) return null
  if (typeof onread !== 'function' || !touchesOnlyKnown(onread)) return null
  return {
    WriteRequest,
    ShutdownRequest,
    hasWritev: isPieces(pieces),
    onread,
    ownerKey,
    bufferKey,
    callbackKey,
    generatorKey,
    timerKey,
  }
}

let kit: HandleKit | null | undefined

/** What is needed to use handles; null if the room is off or this Node does it in another way. Found out once. */
export function handleKit(): HandleKit | null {
  if (kit === undefined) {
    try {
      kit = isNativeOn ? findKit() : null
    } catch {
      kit = null
    }
  }
  return kit
}

const METHODS = [
  'readStart',
  'readStop',
  'writeBuffer',
  'useUserBuffer',
  'shutdown',
  'close',
  'getAsyncId',
] as const

/** Whether this is a handle that can do all that is needed of it. */
export function isHandle(handle: unknown): handle is Handle {
  if (typeof handle !== 'object' || handle === null) return false
  const some = handle as Record<string, unknown>
  if (!METHODS.every((name) => typeof some[name] === 'function')) return false
  return typeof some['writeQueueSize'] === 'number' && some['isStreamBase'] === true
}

/** The error of a call to the system, as node:net reports it. */
export function systemError(call: string, status: number): Error {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`${call} ${code}`), { code, errno: status, syscall: call })
}

/** A listener to one of these needs the stream. */
const EVENTS = ['data', 'readable', 'end', 'drain', 'finish'] as const

/**
 * Takes the handle out of a socket that is at rest: a plain one of node:net, with nothing buffered and no listener to what
 * it receives.
 * @returns the handle; null if the socket must be used as it is
 */
export function takeHandle(duplex: Duplex): Handle | null {
  const kind: unknown = Object.getPrototypeOf(duplex)
  if (kind !== NetSocket.prototype || handleKit() === null) return null
  const socket: NetSocket = duplex as never
  const holder = socket as unknown as { _handle: unknown }
  const handle = holder._handle
  // A response of node:http would write to it.
  if (isUsedByHttp(socket)) return null
  if (!isHandle(handle) || socket.destroyed || socket.connecting || !socket.writable || !socket.readable) {
    return null
  }
  if (socket.readableLength > 0 || socket.writableLength > 0 || handle.writeQueueSize > 0) return null
  // 'end' has a listener of the socket's own.
  if (EVENTS.some((event) => socket.listenerCount(event) > (event === 'end' ? 1 : 0))) return null
  if (handle.readStop() !== 0) return null
  socket.setTimeout(0)
  holder._handle = null
  return handle
}

/** A timeout that the application has set for the socket begins anew, as with a write of its stream. */
export function restartTimeout(socket: object): void {
  if (!(socket as { readonly timeout?: number }).timeout) return
  const { timerKey } = handleKit() as HandleKit
  ;(socket as Record<symbol, () => void>)[timerKey]?.()
}
