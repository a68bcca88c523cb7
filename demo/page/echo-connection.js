/* global location, WebSocket */

const ECHO_PROTOCOL = 'echo.hawser'
const FRAMES_PROTOCOL = 'frames.hawser'
/** Without the frames the echo is still worth having. */
const FRAMES_TIMEOUT_MS = 3_000

/**
 * One echo connection and the one that reports its frames. The page makes up the id that joins them, and opens the
 * reports first, so that no frame is missed.
 */
export class EchoConnection {
  #handlers
  #frames
  #echo = null
  #isEnding = false
  #hasOpened = false
  /** Whether its frames are reported; known when it opens. */
  hasFrames = true

  /**
   * @param {{
   *   onState(): void, onMessage(data: string | Uint8Array): void,
   *   onClose(event: { code: number, reason: string, hasOpened: boolean, isOwn: boolean }): void,
   *   onReports(message: { frames: object[], missed: number, rttMs: number | null }): void,
   * }} handlers
   */
  constructor(handlers) {
    this.#handlers = handlers
    const base = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('')
    this.url = `${base}/echo`
    this.#frames = new WebSocket(`${base}/frames?id=${id}`, FRAMES_PROTOCOL)
    this.#watchFrames(`${this.url}?id=${id}`)
  }

  /** @returns {'connecting' | 'open' | 'closing' | 'closed'} */
  get state() {
    if (this.#echo === null) return this.#isEnding ? 'closed' : 'connecting'
    return ['connecting', 'open', 'closing', 'closed'][this.#echo.readyState]
  }

  /** Whether {@link close} was called. */
  get isOwnEnd() {
    return this.#isEnding
  }

  get extensions() {
    return this.#echo?.extensions ?? ''
  }

  get protocol() {
    return this.#echo?.protocol ?? ''
  }

  get bufferedAmount() {
    return this.#echo?.bufferedAmount ?? 0
  }

  /** @param {string | Uint8Array<ArrayBuffer>} data @returns {boolean} false: not open */
  send(data) {
    if (this.#echo?.readyState !== WebSocket.OPEN) return false
    this.#echo.send(data)
    return true
  }

  /** Has the server ping this connection: a browser cannot. */
  ping() {
    if (this.#frames.readyState === WebSocket.OPEN) this.#frames.send('ping')
  }

  close() {
    this.#isEnding = true
    this.#echo?.close(1000, 'done')
    this.#handlers.onState()
  }

  #watchFrames(echoUrl) {
    let hasStarted = false
    const start = (hasFrames) => {
      if (hasStarted) return
      hasStarted = true
      clearTimeout(timer)
      this.hasFrames = hasFrames
      if (!this.#isEnding) this.#openEcho(echoUrl)
    }
    const timer = setTimeout(() => start(false), FRAMES_TIMEOUT_MS)
    this.#frames.addEventListener('open', () => start(true))
    this.#frames.addEventListener('close', () => start(false))
    this.#frames.addEventListener('message', (event) => {
      this.#handlers.onReports(JSON.parse(event.data))
    })
  }

  #openEcho(url) {
    const echo = new WebSocket(url, ECHO_PROTOCOL)
    this.#echo = echo
    echo.binaryType = 'arraybuffer'
    echo.addEventListener('open', () => {
      this.#hasOpened = true
      this.#handlers.onState()
    })
    echo.addEventListener('message', ({ data }) => {
      this.#handlers.onMessage(typeof data === 'string' ? data : new Uint8Array(data))
    })
    echo.addEventListener('close', ({ code, reason }) => {
      this.#handlers.onState()
      this.#handlers.onClose({ code, reason, hasOpened: this.#hasOpened, isOwn: this.#isEnding })
    })
    this.#handlers.onState()
  }
}
