/** Calls of a connection that wait for their turn: for the bytes of a Blob, or for the end of a compression. */
import type { Duplex } from 'node:stream'
import { callDue, callLater, type SendCallback } from './callbacks.js'
import { bytesOf, isBlob, type BlobLike } from './payload.js'
import { lengthOf } from './values.js'

/** A call that waits. @param error it is never made: its callback gets this */
type Waiting = (error?: Error) => void

/** The connection. */
export interface WaitingHost {
  readonly socket: Duplex
  /** Whether a message is compressed in the thread pool: those after it wait. */
  readonly isCompressing: boolean
  flush(): void
  /** A Blob could not be read: nothing more is sent. */
  sendingFailed(error: Error): void
}

const CLOSED_READING = 'The socket was closed while the blob was being read'

/** The calls of one connection, in their order. */
export class WaitingCalls {
  /** Whether a call that is made now has to wait. */
  isWaiting = false
  /** Bytes of their messages. */
  byteLength = 0
  private readonly host: WaitingHost
  private calls: Waiting[] = []
  private isReading = false

  constructor(host: WaitingHost) {
    this.host = host
  }

  /** Makes a call later. @param callback gets the error, if the call is never made */
  add(call: () => void, callback: SendCallback | undefined): void {
    this.isWaiting = true
    this.calls.push((error) => {
      if (error === undefined) call()
      else if (callback !== undefined) callLater(callback, error)
    })
  }

  /** Sends data later: what is not a Blob is kept as bytes. @param send gets them */
  addData(data: unknown, send: (ready: unknown) => void, callback: SendCallback | undefined): void {
    const byteLength = lengthOf(data)
    const kept = isBlob(data) || typeof data === 'string' ? data : bytesOf(data)
    this.byteLength += byteLength
    this.add(() => {
      this.byteLength -= byteLength
      if (isBlob(kept)) this.read(kept, byteLength, send, callback)
      else send(kept)
    }, callback)
    this.goOn()
  }

  /** Makes the calls that wait, up to the next one that has to. */
  goOn(): void {
    while (this.isWaiting && !this.isReading && !this.host.isCompressing) {
      const call = this.calls.shift()
      if (call === undefined) this.isWaiting = false
      else this.takeTurn(call)
    }
  }

  /** None of them is made. */
  drop(error: Error): void {
    const { calls } = this
    this.calls = []
    this.byteLength = 0
    for (const call of calls) call(error)
  }

  private read(
    blob: BlobLike,
    byteLength: number,
    send: (ready: unknown) => void,
    callback: SendCallback | undefined,
  ): void {
    const { host } = this
    this.isReading = true
    this.byteLength += byteLength
    const fail = (error: Error): void => {
      if (callback !== undefined) callLater(callback, error)
      this.drop(error)
    }
    const take = (bytes: ArrayBuffer): void => {
      if (host.socket.destroyed) {
        fail(new Error(CLOSED_READING))
        return
      }
      this.isReading = false
      this.byteLength -= byteLength
      this.takeTurn(() => send(bytes))
      this.goOn()
      host.flush()
    }
    // Later calls wait for ever: the connection ends.
    const refuse = (error: Error): void => {
      host.flush()
      fail(error)
      // The callbacks come before the event.
      try {
        callDue()
      } finally {
        host.sendingFailed(error)
      }
    }
    // Out of the promise: what the application throws is an exception, not a rejection.
    blob.arrayBuffer().then(
      (bytes) => process.nextTick(take, bytes),
      (error: unknown) => process.nextTick(refuse, error),
    )
  }

  /** Makes a call as if no other waited. What it has to wait for itself is before the others. */
  private takeTurn(call: Waiting): void {
    const { calls } = this
    this.calls = []
    this.isWaiting = false
    call()
    this.calls.push(...calls)
    this.isWaiting = true
  }
}
