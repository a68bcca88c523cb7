import { Duplex } from 'node:stream'
import { HeadScanner, type ResponseHead } from '../handshake/http1.js'

/**
 * The largest answer of a framework to a request that it does not upgrade, head and body: it is kept in memory until it is
 * complete. The pages with which applications refuse are far smaller.
 */
export const MAX_ANSWER_BYTES = 1024 * 1024

/** Keeps the bytes of a response, in the place of a socket. */
export class AnswerSink extends Duplex {
  private readonly chunks: Uint8Array[] = []
  private length = 0
  private isTooLarge = false

  /** All bytes of a response. @throws RangeError above {@link MAX_ANSWER_BYTES} */
  get bytes(): Buffer {
    if (this.isTooLarge) {
      throw new RangeError(
        `the answer of a framework to an upgrade has more than ${String(MAX_ANSWER_BYTES)} bytes`,
      )
    }
    return Buffer.concat(this.chunks)
  }

  /** A method of sockets that frameworks call. There is no time to set: that of the handshake runs. */
  setTimeout(): this {
    return this
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.length += chunk.length
    this.isTooLarge ||= this.length > MAX_ANSWER_BYTES
    if (this.isTooLarge) this.chunks.length = 0
    else this.chunks.push(chunk)
    done()
  }

  override _read(): void {
    // Nothing is read from a response.
  }
}

/** The head of a response that node:http wrote; of several the last: those before it are early hints. */
export function readAnswerHead(bytes: Uint8Array): ResponseHead {
  let rest = bytes
  for (;;) {
    const scanner = new HeadScanner('response', { maxHeaderBytes: Infinity, maxHeaderCount: Infinity })
    scanner.push(rest)
    const { head } = scanner
    if (head === null) throw new Error('the framework has not written a response')
    if (head.status === 101 || head.status >= 200) return head
    rest = scanner.rest
  }
}
