import { readCloseInfo, type WebSocketCloseInfo } from './closing.js'
import { describeInterface, toUSVString } from './web-idl.js'

let make: (message: string, closeCode: number | null, reason: string, cause: unknown) => WebSocketError

/**
 * Why a WebSocketStream ended other than cleanly. Given to `abort` of its writable or `cancel` of its readable, it says
 * which code and reason the Close frame carries.
 */
export class WebSocketError extends DOMException {
  #closeCode: number | null
  #reason: string

  static {
    make = (message, closeCode, reason, cause) => {
      const error = new WebSocketError(message)
      error.#closeCode = closeCode
      error.#reason = reason
      if (cause !== undefined) {
        Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
      }
      return error
    }
  }

  /**
   * @param init code and reason; a reason without a code gets 1000
   * @throws DOMException InvalidAccessError for another code than 1000 and 3000 to 4999, SyntaxError for a reason of more
   *   than 123 bytes; TypeError for a code that is not a number from 0 to 65535
   */
  constructor(message = '', init: WebSocketCloseInfo = {}) {
    const text = toUSVString(message)
    const { code, reason } = readCloseInfo('init', init)
    super(text, 'WebSocketError')
    this.#closeCode = code ?? null
    this.#reason = reason
  }

  /** The close code, or null. */
  get closeCode(): number | null {
    return this.#closeCode
  }

  /** The close reason, or empty. */
  get reason(): string {
    return this.#reason
  }
}

describeInterface(WebSocketError, { name: 'WebSocketError', attributes: ['closeCode', 'reason'] })

/**
 * Makes an error with a code that only a connection reports, such as 1006.
 * @param cause what Hawser says about it, if anything
 */
export function webSocketError(
  message: string,
  closeCode: number | null,
  reason: string,
  cause?: unknown,
): WebSocketError {
  return make(message, closeCode, reason, cause)
}
