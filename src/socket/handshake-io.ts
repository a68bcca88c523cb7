import type { Duplex } from 'node:stream'
import { HandshakeError } from '../errors.js'
import { HeadScanner, type ResponseHead } from '../handshake/http1.js'
import { isInterimResponse } from '../handshake/client-handshake.js'
import { ResponseBody } from './response-body.js'

/** How long a rejected peer that has all of the response may take to end its side before it is cut. */
export const REJECTION_LINGER_MS = 5_000
/** It is looked at once in {@link REJECTION_LINGER_MS}; one that takes less than this in so many looks is cut as well. */
const MIN_PROGRESS_BYTES = 16 * 1024
const MAX_LOOKS_WITHOUT_PROGRESS = 6
/** However well it reads, it is cut after so many looks: five minutes. */
const MAX_LOOKS = 60

/**
 * Whether a rejected peer is still worth waiting for. Systems buffer megabytes, and so a peer that reads steadily is seen
 * to take something only now and then.
 */
export class Linger {
  private looks = 0
  private still = 0
  private seen = 0
  private hadLeft: boolean

  /** @param hasLeft whether the system took the whole response at once */
  constructor(hasLeft: boolean) {
    this.hadLeft = hasLeft
  }

  /**
   * One look.
   * @param taken how many bytes of the response left so far
   * @param hasLeft whether that is all of it
   * @returns whether to wait for another {@link REJECTION_LINGER_MS}
   */
  goesOn(taken: number, hasLeft: boolean): boolean {
    if (++this.looks >= MAX_LOOKS) return false
    if (hasLeft) {
      const isNew = !this.hadLeft
      this.hadLeft = true
      return isNew
    }
    if (taken - this.seen >= MIN_PROGRESS_BYTES) {
      this.seen = taken
      this.still = 0
    } else {
      this.still++
    }
    return this.still < MAX_LOOKS_WITHOUT_PROGRESS
  }
}

/** The smallest bound that a head can have. */
const MIN_HEAD_BYTES = 64

const ignore = (): void => undefined

/** From now on a reset of the stream harms nobody. */
export function ignoreErrors(duplex: Duplex): void {
  if (!duplex.listeners('error').includes(ignore)) duplex.on('error', ignore)
}

/**
 * Writes a response and ends the stream: a reset at any point of it harms nobody.
 * @param response not to be changed any more: it goes to the stream in views, one after another, so that it can be seen
 *   how it moves
 * @param lingerMs see {@link REJECTION_LINGER_MS}
 */
export function writeAndEnd(duplex: Duplex, response: Uint8Array, lingerMs = REJECTION_LINGER_MS): void {
  ignoreErrors(duplex)
  if (duplex.destroyed) return
  // Node ends a stream that is never half-open when the peer ends its side: then all of it has to be there by now.
  const step = duplex.allowHalfOpen ? MIN_PROGRESS_BYTES : response.length
  let given = 0
  const giveNext = (error?: Error | null): void => {
    // A stream that failed is destroyed, or is when it is looked at next.
    if ((error !== undefined && error !== null) || duplex.destroyed) return
    const next = response.subarray(given, given + step)
    given += next.length
    if (given < response.length) duplex.write(next, giveNext)
    else duplex.end(next)
  }
  const linger = new Linger(response.length <= MIN_PROGRESS_BYTES)
  const timer = setInterval(() => {
    if (!linger.goesOn(given, duplex.writableFinished)) duplex.destroy()
  }, lingerMs)
  timer.unref()
  duplex.once('close', () => {
    clearInterval(timer)
  })
  giveNext()
  // What still comes is discarded until the peer ends its side as well: a socket that is closed with bytes unread is
  // reset, and what of the response is still on its way is lost.
  duplex.resume()
}

/** Watches a stream between two owners: errors are harmless, and its end is told. */
export class StreamGuard {
  private readonly duplex: Duplex
  private readonly onClose: () => void

  constructor(duplex: Duplex, onClose: () => void) {
    this.duplex = duplex
    this.onClose = onClose
    duplex.on('error', ignore)
    duplex.on('close', onClose)
  }

  /** From now on the stream has another owner. */
  release(): void {
    this.duplex.off('error', ignore)
    this.duplex.off('close', this.onClose)
  }
}

/** The head of a response, and the bytes that came behind it in the same reads. */
export interface ResponseStart {
  readonly head: ResponseHead
  readonly rest: Uint8Array
}

/** Reads the head of the response to an upgrade; interim responses before it are passed over. */
export function readResponseHead(
  duplex: Duplex,
  maxHeaderBytes: number,
  done: (result: ResponseStart | HandshakeError) => void,
): () => void {
  let scanner = new HeadScanner('response', { maxHeaderBytes })
  // What the interim responses held counts as well: they are not a way around the bound.
  let budget = maxHeaderBytes
  /** What earlier chunks held of the head under way. */
  let scanned = 0
  const stop = (): void => {
    duplex.off('data', onData)
    duplex.pause()
  }
  const onData = (chunk: Buffer): void => {
    let bytes: Uint8Array = chunk
    for (;;) {
      const state = scanner.push(bytes)
      if (state === 'more') {
        scanned += bytes.length
        return
      }
      if (scanner.error !== null) {
        stop()
        done(scanner.error)
        return
      }
      const { head, rest } = scanner
      if (head === null) return
      if (!isInterimResponse(head)) {
        stop()
        done({ head, rest })
        return
      }
      budget -= scanned + bytes.length - rest.length
      if (budget < MIN_HEAD_BYTES) {
        stop()
        done(new HandshakeError('HAWSER_RESPONSE_TOO_LARGE', { detail: 'interim responses count as well' }))
        return
      }
      scanned = 0
      scanner = new HeadScanner('response', { maxHeaderBytes: budget })
      bytes = rest
    }
  }
  duplex.on('data', onData)
  return stop
}

/**
 * Reads the body of a response that is not a 101, up to its end or to where enough is there.
 * @param rest what came of it with the head
 * @param done told once
 * @returns ends it here: `done` is told with what there is
 */
export function readBodyStart(
  duplex: Duplex,
  { head, rest }: ResponseStart,
  done: (body: Buffer) => void,
): () => void {
  const body = new ResponseBody(head)
  const finish = (): void => {
    duplex.off('data', onData)
    duplex.off('end', finish)
    duplex.off('close', finish)
    done(body.bytes)
  }
  const onData = (chunk: Buffer): void => {
    body.push(chunk)
    if (body.isDone) finish()
  }
  duplex.on('data', onData)
  duplex.on('end', finish)
  duplex.on('close', finish)
  body.push(rest)
  if (body.isDone) finish()
  else duplex.resume()
  return finish
}
