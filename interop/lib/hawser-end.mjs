/** Hawser's end of a connection: the same for both roles. */
import { connect, HandshakeError, reject, WebSocketServer } from '../../dist/esm/index.js'
import { CHOSEN } from './cases.mjs'
import { expectEqual, Mismatch } from './mismatch.mjs'

const LIMITS = { maxMessageBytes: 32 * 1024 * 1024, maxQueuedBytes: 64 * 1024 * 1024 }

/** What arrives, and those that wait for it. @template T */
class Queue {
  /** @type {T[]} */
  items = []
  waiters = []
  error

  push(item) {
    const waiter = this.waiters.shift()
    if (waiter === undefined) this.items.push(item)
    else waiter.resolve(item)
  }

  fail(error) {
    this.error = error
    for (const waiter of this.waiters.splice(0)) waiter.reject(error)
  }

  /** @returns {Promise<T>} */
  next() {
    if (this.items.length > 0) return Promise.resolve(this.items.shift())
    if (this.error !== undefined) return Promise.reject(this.error)
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }))
  }
}

/** @typedef {import('../../dist/esm/index.js').CloseInfo} CloseInfo */

export class HawserEnd {
  socket
  /** @type {Promise<HawserEnd>} */
  opened
  /** @type {Promise<CloseInfo>} */
  closed
  messages = new Queue()
  pongs = new Queue()
  errors = []

  /** @param {'client' | 'server'} role */
  constructor(role) {
    this.role = role
    let open, close
    this.opened = new Promise((resolve) => (open = resolve))
    this.closed = new Promise((resolve) => (close = resolve))
    this.handlers = {
      onOpen: (socket) => {
        this.socket = socket
        open(this)
      },
      onMessage: (_, message) => {
        this.messages.push(message)
      },
      onPong: (_, data) => {
        this.pongs.push(data.toString())
      },
      onError: (_, error) => {
        this.errors.push(error)
      },
      onClose: (_, info) => {
        const why = [...this.errors.map(({ message }) => message), info.reason].filter((text) => text !== '')
        const ended = new Mismatch(`the connection ended with ${String(info.code)} ${why.join(', ')}`.trim())
        this.messages.fail(ended)
        this.pongs.fail(ended)
        close(info)
      },
    }
  }

  send(message) {
    this.socket.send(message)
  }

  /** Waits where there is no room for more. */
  async sendWithRoom(message) {
    if (!this.socket.send(message)) await this.socket.drained()
  }

  receive() {
    return this.messages.next()
  }

  nextPong() {
    return this.pongs.next()
  }

  async close(code, reason) {
    const info = await this.socket.close(code, reason)
    if (!info.wasClean) {
      const why = this.errors.map(({ message }) => `, ${message}`).join('')
      throw new Mismatch(`closed with ${String(info.code)}, not cleanly${why}`)
    }
    return info
  }

  async closeCleanly() {
    const { code } = await this.close(1000, 'done')
    expectEqual(code, 1000)
  }
}

/** The times that a case may take are shorter than those of Hawser's own. */
const optionsOf = ({ hawser, timeoutMs, directIo }) => ({
  directIo,
  perMessageDeflate: hawser,
  limits: LIMITS,
  handshakeTimeoutMs: timeoutMs,
  closeTimeoutMs: 5_000,
})

/** Hawser as the client of one case. @param {import('./cases.mjs').Case} one @param {string} url */
export async function runAsClient(one, url) {
  const end = new HawserEnd('client')
  const options = { ...optionsOf(one), handlers: end.handlers, protocols: one.protocols ?? [] }
  try {
    await connect(url, options)
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    if (one.isRefused !== true) throw new Mismatch(error.message)
    expectEqual(error.httpStatus, 401)
    return
  }
  try {
    await one.run(end)
  } finally {
    end.socket.terminate()
  }
}

/** Hawser as the server of one case. @param {import('./cases.mjs').Case} one */
export async function listenFor(one) {
  const server = new WebSocketServer({
    ...optionsOf(one),
    protocols: [CHOSEN],
    onError: (error) => end.errors.push(error),
  })
  const end = new HawserEnd('server')
  server.route('/echo', end.handlers)
  server.route('/401', { ...end.handlers, onUpgrade: () => reject(401, 'who are you?\n') })
  const { port } = await server.listen(0, '127.0.0.1')
  return {
    port,
    /** Resolves when the client came and the case is over. */
    run: async () => one.run(await end.opened),
    stop: () => server.terminate(),
  }
}
