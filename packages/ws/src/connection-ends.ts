/**
 * The Sender and the Receiver that programs find at a connection, as `_sender` and `_receiver`: made for those who ask, since the
 * connection itself goes by the engine.
 */
import type { Duplex } from 'node:stream'
import { Opcode } from '../../../src/frame/opcode.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../../../src/frame/header.js'
import { callbackOf } from './callbacks.js'
import type { Outgoing } from './outgoing.js'
import { isBlob, toPayload } from './payload.js'
import { Receiver, type ReceiverOptions } from './receiver.js'
import { Sender, type MaskGenerator, type SendCallback, type SendOptions } from './sender.js'
import { closePayload } from './values.js'

/** What it needs of a connection. */
interface LinkedEnds {
  readonly socket: Duplex
  readonly outgoing: Outgoing
  /** @param chunk unmasked in place */
  take(chunk: Buffer): void
}

/** How many bytes; as the class Sender, and other than a WebSocket, it refuses what is none. @throws TypeError */
const bytesIn = (data: unknown): number => (isBlob(data) ? data.size : toPayload(data).byteLength)

/** Sends by the connection, in the order of all calls. */
class ConnectionSender extends Sender {
  readonly #outgoing: Outgoing

  constructor(
    socket: Duplex,
    outgoing: Outgoing,
    extensions: Record<string, unknown>,
    generateMask: MaskGenerator | undefined,
  ) {
    super(socket, extensions, generateMask)
    this.#outgoing = outgoing
    // Bytes that wait, beside those of the socket.
    Object.defineProperty(this, '_bufferedBytes', { get: () => outgoing.queuedBytes })
  }

  override close(code?: number, data?: string | Uint8Array, _mask?: boolean, callback?: SendCallback): void {
    this.#outgoing.close(closePayload(code, data), callbackOf(callback))
  }

  override ping(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#control(Opcode.PING, data, mask, callback)
  }

  override pong(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#control(Opcode.PONG, data, mask, callback)
  }

  override send(data: unknown, options: SendOptions, callback?: SendCallback): void {
    bytesIn(data)
    const outgoing = this.#outgoing
    const { _generateMask: generateMask } = this
    const mask = Boolean(options.mask)
    const sent = {
      binary: Boolean(options.binary),
      compress: Boolean(options.compress),
      fin: Boolean(options.fin),
    }
    const done = callbackOf(callback)
    if (generateMask === undefined && mask === outgoing.isMasked) outgoing.send(data, sent, done)
    else outgoing.sendMasked(data, sent, { mask, generateMask }, done)
  }

  /** Writes frames, after all that was sent before. @param list nobody changes the pieces any more */
  override sendFrame(list: readonly (string | Uint8Array)[], callback?: SendCallback): void {
    this.#outgoing.sendFrame(list, callbackOf(callback))
  }

  #control(
    opcode: typeof Opcode.PING | typeof Opcode.PONG,
    data: unknown,
    given: boolean | undefined,
    callback: SendCallback | undefined,
  ): void {
    if (bytesIn(data) > MAX_CONTROL_PAYLOAD_BYTES) {
      throw new RangeError('The data size must not be greater than 125 bytes')
    }
    const outgoing = this.#outgoing
    const { _generateMask: generateMask } = this
    const mask = Boolean(given)
    const done = callbackOf(callback)
    if (generateMask === undefined && mask === outgoing.isMasked) outgoing.control(opcode, data, done)
    else outgoing.controlMasked(opcode, data, { mask, generateMask }, done)
  }
}

/** Emits what the connection receives, after it; what is written here, the connection takes as received. */
class ConnectionReceiver extends Receiver {
  readonly #link: LinkedEnds

  constructor(link: LinkedEnds, options: ReceiverOptions) {
    super(options)
    this.#link = link
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#link.take(Buffer.from(chunk))
    callback()
  }
}

/** Both, of one connection. */
export class ConnectionEnds {
  readonly sender: Sender
  readonly receiver: Receiver

  constructor(link: LinkedEnds, options: ReceiverOptions) {
    const { outgoing, socket } = link
    this.sender = new ConnectionSender(socket, outgoing, options.extensions ?? {}, outgoing.generateMask)
    this.receiver = new ConnectionReceiver(link, options)
  }
}
