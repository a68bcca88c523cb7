import { refuseSurplus } from '../check.js'
import type { SendOptions } from '../connection/connection-options.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { ReadyState } from '../connection/ready-state.js'
import type { DeliveryOutcome } from './driver-owner.js'
import { DELIVER, type Recipient } from './fan-out.js'
import { findDriversBy } from './fan-out-turn.js'
import type { SocketCore } from './socket-core.js'
import type { SocketDriver } from './socket-driver.js'
import type { Socket } from './socket.js'
import type { WaitOptions } from './waiters.js'
import type { WriteOptions } from './write-options.js'

const NO_CALLBACK =
  'there is no callback; false means that the message waits or was not taken: see drained() and onDrain'
const NO_WRITE_CALLBACK = 'there is no callback; the call returns a promise'
const NO_MASK = 'there is neither a mask nor a callback; the pong is reported to onPong'

/** @throws TypeError for a value that JSON has no text for, such as undefined */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text !== undefined) return text
  throw new TypeError(`value must be one that JSON has text for, not ${typeof value}`)
}

/** The core of a socket; null for anything that is not a socket. */
export let coreOf: (value: unknown) => SocketCore | null

// eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- a core makes the driver that it owns
const coreWith = (driver: SocketDriver): SocketCore => driver.owner as SocketCore

/** A socket as the application has it: what {@link Socket} says, and nothing else that has a name. */
export abstract class BaseSocket<Data> implements Socket<Data>, Recipient {
  static {
    coreOf = (value) =>
      typeof value === 'object' && value !== null && #driver in value ? coreWith(value.#driver) : null
    findDriversBy((member) => (#driver in member ? member.#driver : null))
  }

  data: Data
  /** Not the core: sending goes to the driver, and what is sent to many touches each socket once. */
  readonly #driver: SocketDriver

  constructor(core: SocketCore, data: Data) {
    this.data = data
    this.#driver = core.driver
  }

  get id(): string {
    return coreWith(this.#driver).id
  }

  get url(): string {
    return coreWith(this.#driver).url
  }

  get protocol(): string {
    return coreWith(this.#driver).protocol
  }

  get extensions(): string {
    return coreWith(this.#driver).extensions
  }

  get secure(): boolean {
    return coreWith(this.#driver).secure
  }

  get remoteAddress(): string {
    return coreWith(this.#driver).remoteAddress
  }

  get readyState(): ReadyState {
    return this.#driver.connection.readyState
  }

  get bufferedAmount(): number {
    return this.#driver.bufferedAmount
  }

  get rttMs(): number | undefined {
    return this.#driver.connection.rttMs
  }

  get closed(): Promise<CloseInfo> {
    return coreWith(this.#driver).closed
  }

  get signal(): AbortSignal {
    return coreWith(this.#driver).signal
  }

  send(data: MessageData | PreparedMessage, options?: SendOptions, surplus?: unknown): boolean {
    if (surplus !== undefined) refuseSurplus(surplus, 'send(data, options)', NO_CALLBACK)
    return this.#driver.send(data, options)
  }

  write(data: MessageData | PreparedMessage, options?: WriteOptions, surplus?: unknown): Promise<void> {
    refuseSurplus(surplus, 'write(data, options)', NO_WRITE_CALLBACK)
    return coreWith(this.#driver).write(data, options)
  }

  sendJson(value: unknown, options?: SendOptions, surplus?: unknown): boolean {
    if (surplus !== undefined) refuseSurplus(surplus, 'sendJson(value, options)', NO_CALLBACK)
    return this.#driver.send(jsonText(value), options)
  }

  ping(data?: MessageData, mask?: unknown, callback?: unknown): boolean {
    refuseSurplus(mask === undefined ? callback : mask, 'ping(data)', NO_MASK)
    return this.#driver.ping(data)
  }

  pong(data?: MessageData, mask?: unknown, callback?: unknown): boolean {
    refuseSurplus(mask === undefined ? callback : mask, 'pong(data)', NO_MASK)
    return this.#driver.pong(data)
  }

  drained(options: WaitOptions = {}): Promise<void> {
    return coreWith(this.#driver).drained(options)
  }

  pause(): void {
    this.#driver.pause()
  }

  resume(): void {
    coreWith(this.#driver).resume()
  }

  close(code?: number, reason?: string, options?: WaitOptions): Promise<CloseInfo> {
    return coreWith(this.#driver).close(code, reason, options)
  }

  terminate(): void {
    coreWith(this.#driver).terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000)
  }

  [DELIVER](message: PreparedMessage): DeliveryOutcome {
    return this.#driver.deliver(message)
  }
}

const STATES: Readonly<Record<ReadyState, string>> = {
  [ReadyState.CONNECTING]: 'connecting',
  [ReadyState.OPEN]: 'open',
  [ReadyState.CLOSING]: 'closing',
  [ReadyState.CLOSED]: 'closed',
}

/** What a log shows of a socket. */
export function shownFields(socket: Socket): Readonly<Record<string, unknown>> {
  const { readyState, id, url, protocol, bufferedAmount, remoteAddress } = socket
  return { readyState: STATES[readyState], id, url, protocol, bufferedAmount, remoteAddress }
}
