/**
 * Connections that follow scripts (lib/steps.mjs), as load/scripts.c has them, in JavaScript: for TLS, which the program in C does not
 * speak, and for machines without a C compiler. Prints what the program in C prints, once all have ended.
 *
 * node soak/nodes/script-peers.mjs '{ "ports": [1], "isSecure": true, "connections": 50, "total": 1000 }'
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { BelowTls } from '../lib/below-tls.mjs'
import { sequenceOf } from '../lib/script-file.mjs'
import { trustedFiles } from '../lib/short.mjs'
import { WAYS } from '../lib/ways.mjs'

const { ports, isSecure, connections, total } = JSON.parse(process.argv[2])
const CONNECT_MS = 10_000
const trusted = isSecure ? trustedFiles() : null

const outcomes = WAYS.map(() => ({ done: 0, cut: 0, refused: 0, stuck: 0, lost: 0 }))
const statuses = {}

/** Ends a script before its last step, as the outcome of this name. */
class Ended extends Error {
  constructor(outcome) {
    super(outcome)
    this.outcome = outcome
  }
}

/** One connection: what arrived, and whether the other end is done. */
class Peer {
  received = Buffer.alloc(0)
  isOver = false
  isOpen = false
  #look = () => undefined

  constructor(port) {
    this.tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.socket = this.tcp
    if (isSecure) {
      this.socket = connectTls({ socket: new BelowTls(this.tcp), ...trusted })
      this.socket.allowHalfOpen = true
    }
    const { socket } = this
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      this.isOpen = true
      this.#look()
    })
    socket.on('data', (chunk) => {
      if (this.keeps) this.received = Buffer.concat([this.received, chunk])
      this.#look()
    })
    const over = () => {
      this.isOver = true
      this.#look()
    }
    for (const event of ['end', 'error', 'close']) socket.on(event, over)
    if (isSecure) this.tcp.on('close', over)
  }

  /** From now on it is the TCP connection alone. */
  belowTls() {
    this.socket.on('error', () => undefined)
    this.socket = this.tcp
    this.tcp.once('connect', () => {
      this.isOpen = true
      this.#look()
    })
  }

  /** Bytes are kept until the steps that ask for them are done. */
  keeps = true

  /** Waits until something is so. @param outcome of the script where the time is up */
  until(isSo, ms, outcome) {
    return new Promise((resolve, refuse) => {
      const timer = setTimeout(() => refuse(new Ended(outcome)), ms)
      this.#look = () => {
        if (!isSo()) return
        clearTimeout(timer)
        this.#look = () => undefined
        resolve()
      }
      this.#look()
    })
  }

  /** Waits for bytes; the other end may be done before. */
  async untilBytes(isSo, ms) {
    await this.until(() => isSo() || this.isOver, ms, 'stuck')
    if (!isSo()) throw new Ended('cut')
  }

  async head({ status, ms }) {
    const end = () => this.received.indexOf('\r\n\r\n')
    await this.untilBytes(() => end() >= 0, ms)
    const got = Number(this.received.toString('latin1', 9, 12))
    statuses[got] = (statuses[got] ?? 0) + 1
    this.received = this.received.subarray(end() + 4)
    if (got !== status && !(status === 0 && got !== 101)) throw new Ended('refused')
  }

  async read({ count, ms }) {
    await this.untilBytes(() => this.received.length >= count, ms)
    this.received = this.received.subarray(count)
  }

  async end({ ms }) {
    this.keeps = false
    this.received = Buffer.alloc(0)
    await this.until(() => this.isOver, ms, 'stuck')
  }

  async deaf({ ms }) {
    this.socket.pause()
    await Promise.race([sleep(ms), this.until(() => this.isOver, ms + 1_000, 'stuck').catch(() => undefined)])
    this.socket.resume()
  }

  async wait({ ms }) {
    this.socket.pause()
    await sleep(ms)
    this.socket.resume()
  }

  send({ bytes }) {
    if (this.socket.destroyed) throw new Ended('cut')
    this.socket.write(bytes)
  }

  fin() {
    this.socket.end()
  }

  reset() {
    this.tcp.resetAndDestroy()
    this.socket.destroy()
  }

  close() {
    this.socket.end()
    this.socket.destroy()
    this.tcp.destroy()
  }
}

async function follow(index, port) {
  const peer = new Peer(port)
  let outcome = 'done'
  try {
    const { steps } = WAYS[index]
    // What ends at once ends in the handshake of TLS.
    if (isSecure && (steps[0].op === 'fin' || steps[0].op === 'reset')) peer.belowTls()
    await peer.until(() => peer.isOpen || peer.isOver, CONNECT_MS, 'lost')
    if (!peer.isOpen) throw new Ended('lost')
    for (const step of steps) await peer[step.op](step)
  } catch (error) {
    if (!(error instanceof Ended)) throw error
    outcome = error.outcome
  }
  peer.close()
  outcomes[index][outcome]++
}

const sequence = sequenceOf(WAYS)
let started = 0
async function work() {
  while (started < total) {
    const number = started++
    // In each pass a script meets the next port.
    const turn = number + Math.floor(number / sequence.length)
    await follow(sequence[number % sequence.length], ports[turn % ports.length])
  }
}
await Promise.all(Array.from({ length: connections }, work))
console.log(JSON.stringify({ started, ended: started, statuses, scripts: outcomes }))
process.exit()
