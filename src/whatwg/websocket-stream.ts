import { showValue } from '../check.js'
import type { ClientSocket } from '../client/client-socket.js'
import { ReadyState } from '../connection/ready-state.js'
import { InvalidStateError, toError } from '../errors.js'
import { showAs } from '../inspect.js'
import { CLIENT_LIMITS, resolveLimits } from '../limits.js'
import { checkProtocols, parseUrl, toProtocols, withoutCredentials } from './address.js'
import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { checkClose, readCloseInfo, type CloseArguments, type WebSocketCloseInfo } from './closing.js'
import { readInit, type ConnectionInit } from './init.js'
import { Link, type Ending, type LinkOwner } from './link.js'
import { StreamPair, type StreamInput, type StreamOutput } from './stream-pair.js'
import { describeInterface, isSequence, needArguments, toDictionary } from './web-idl.js'
import { WebSocketError, webSocketError } from './websocket-error.js'
import { WRITE_LIMITS } from './write.js'

/** The standard's options, and those that a browser has no place for. */
export interface WebSocketStreamOptions extends ConnectionInit {
  /** Subprotocols to offer, in order of preference. */
  readonly protocols?: Iterable<string>
  /** Ends the attempt: both promises reject with the signal's reason. It has no effect once the connection is open. */
  readonly signal?: AbortSignal
}

/**
 * What {@link WebSocketStream.opened} gives. Its streams are of the global types, those of Node or of lib dom, so that they pipe
 * to and from the streams of either: the types of a writer differ.
 */
export interface WebSocketOpenInfo {
  /** The messages: text as strings, bytes as Uint8Arrays that belong to the reader. */
  readonly readable: ReadableStream<StreamOutput> & AsyncIterable<StreamOutput>
  /** Takes messages: bytes as binary, anything else as text. A write is done when the transport has taken the message. */
  readonly writable: WritableStream<StreamInput>
  /** The subprotocol in use, or empty. */
  readonly protocol: string
  /** The extensions in use, as the server's answer named them, or empty. */
  readonly extensions: string
}

/** A promise and the functions that settle it. Nobody has to hear its rejection. */
class Deferred<T> {
  readonly promise: Promise<T>
  resolve!: (value: T) => void
  reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // What a peer does must not end the process.
    this.promise.catch(() => undefined)
  }
}

/**
 * A WebSocket as two streams, with backpressure in both directions: nothing is read from the network while nobody reads the
 * readable, and a write waits until the transport has taken the message. See docs/whatwg.md.
 */
export class WebSocketStream {
  readonly #url: URL
  readonly #opened = new Deferred<WebSocketOpenInfo>()
  readonly #closed = new Deferred<Required<WebSocketCloseInfo>>()
  #state: ReadyState = ReadyState.CONNECTING
  #link: Link | null = null
  #pair: StreamPair | null = null
  #stopListening: () => void = () => undefined
  /** The signal ended the attempt. */
  #isAborted = false

  /**
   * Begins to connect.
   * @param url absolute: ws, wss, or http and https for them; credentials become basic authentication
   * @throws DOMException SyntaxError for a URL or a subprotocol that is none; TypeError or RangeError for a wrong option
   */
  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    needArguments('WebSocketStream', arguments.length, 1)
    const { protocols, signal, init } = readOptions(options)
    this.#url = parseUrl(url)
    checkProtocols(protocols)
    const { highWaterMarkBytes } = resolveLimits(init.limits, CLIENT_LIMITS)
    if (signal?.aborted === true) {
      this.#abort(signal.reason)
      return
    }
    const owner: LinkOwner = {
      opened: (socket) => {
        this.#open(socket, highWaterMarkBytes)
      },
      received: (message) => {
        if (this.#state === ReadyState.OPEN) this.#pair?.receive(message)
      },
      ended: (ending) => {
        this.#end(ending)
      },
    }
    const limits = { ...init.limits, ...WRITE_LIMITS }
    this.#link = new Link(this.#url.href, { protocols, init, limits }, owner)
    if (signal !== undefined) this.#listen(signal)
  }

  /** The URL of the connection, with ws or wss. */
  get url(): string {
    return this.#url.href
  }

  /**
   * The connection is open. Rejects with a {@link WebSocketError} whose `cause` says why not, or with the signal's reason.
   */
  get opened(): Promise<WebSocketOpenInfo> {
    return #opened in this ? this.#opened.promise : illegalInvocation()
  }

  /**
   * The connection ended cleanly, with the peer's code and reason. Rejects with a {@link WebSocketError} if it ended otherwise,
   * or with the signal's reason.
   */
  get closed(): Promise<Required<WebSocketCloseInfo>> {
    return #closed in this ? this.#closed.promise : illegalInvocation()
  }

  /**
   * Starts the closing handshake; while connecting it gives up. Messages that are received from now on are dropped.
   * @throws DOMException InvalidAccessError for another code than 1000 and 3000 to 4999, SyntaxError for a reason of more than
   *   123 bytes; TypeError for what is not such an object
   */
  close(closeInfo: WebSocketCloseInfo = {}): void {
    // The brand first.
    const url = this.#url
    const how = readCloseInfo('closeInfo', closeInfo)
    if (url === this.#url) this.#close(how)
  }

  #close({ code, reason }: CloseArguments): void {
    if (this.#state === ReadyState.CONNECTING) {
      this.#state = ReadyState.CLOSING
      this.#link?.fail(new InvalidStateError('close() was called before the connection was open'))
    } else if (this.#state === ReadyState.OPEN) {
      this.#state = ReadyState.CLOSING
      void this.#link?.socket?.close(code, reason)
    }
  }

  /** Closes with the code and the reason of a WebSocketError, and without any for another reason. */
  #closeUsing(reason: unknown): void {
    let how: CloseArguments = { code: undefined, reason: '' }
    if (reason instanceof WebSocketError) {
      try {
        how = checkClose(reason.closeCode ?? undefined, reason.reason)
      } catch {
        // One that a connection made may have a code that nobody sends.
      }
    }
    this.#close(how)
  }

  #listen(signal: AbortSignal): void {
    const abort = (): void => {
      if (this.#state !== ReadyState.CONNECTING) return
      this.#abort(signal.reason)
      this.#link?.fail(toError(signal.reason))
    }
    onAbort(signal, abort)
    this.#stopListening = () => {
      offAbort(signal, abort)
    }
  }

  #abort(reason: unknown): void {
    this.#isAborted = true
    this.#state = ReadyState.CLOSING
    this.#opened.reject(reason)
    this.#closed.reject(reason)
  }

  #open(socket: ClientSocket, unreadBytes: number): void {
    this.#stopListening()
    if (this.#state !== ReadyState.CONNECTING) return
    this.#state = ReadyState.OPEN
    this.#pair = new StreamPair(socket, unreadBytes, {
      close: () => {
        this.#close({ code: undefined, reason: '' })
      },
      closeUsing: (reason) => {
        this.#closeUsing(reason)
      },
    })
    const { readable, writable } = this.#pair
    const { protocol, extensions } = socket
    this.#opened.resolve({ readable, writable, protocol, extensions })
  }

  #end({ code, reason, wasClean, error }: Ending): void {
    this.#stopListening()
    this.#state = ReadyState.CLOSED
    if (this.#isAborted) return
    if (wasClean) {
      this.#pair?.close(
        new DOMException('a closed WebSocketStream cannot be written to', 'InvalidStateError'),
      )
      this.#closed.resolve({ closeCode: code, reason })
      return
    }
    const failure = webSocketError(error?.message ?? 'the connection was lost', code, reason, error)
    if (this.#pair === null) {
      this.#opened.reject(webSocketError(failure.message, null, '', error))
    } else {
      this.#pair.error(failure)
    }
    this.#closed.reject(failure)
  }
}

describeInterface(WebSocketStream, {
  name: 'WebSocketStream',
  attributes: ['url', 'opened', 'closed'],
  operations: { close: 0 },
})

showAs(WebSocketStream, 'WebSocketStream', ({ url }) => ({ url: withoutCredentials(url) }))

/** Web IDL: an attribute that is a promise does not throw. */
function illegalInvocation<T>(): Promise<T> {
  return Promise.reject(new TypeError('this is not a WebSocketStream'))
}

interface ReadOptions {
  readonly protocols: readonly string[]
  readonly signal: AbortSignal | undefined
  readonly init: ConnectionInit
}

function readOptions(given: unknown): ReadOptions {
  const options = toDictionary('options', given)
  const init = readInit('WebSocketStreamOptions', options, ['protocols', 'signal'])
  const { protocols = [], signal } = options
  if (!isSequence(protocols)) {
    throw new TypeError(`protocols must be a list, not ${showValue(protocols)}`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, not ${showValue(signal)}`)
  }
  return { protocols: toProtocols(protocols), signal, init }
}
