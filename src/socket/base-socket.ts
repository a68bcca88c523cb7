import type { SendOptions } from '../connection/connection-options.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { ReadyState } from '../connection/ready-state.js'
import type { DeliveryOutcome } from './driver-owner.js'
import { DELIVER, type Recipient } from './fan-out.js'
import type { SocketCore } from './socket-core.js'
import type { Socket } from './socket.js'
import type { WaitOptions } from './waiters.js'

/** The core of a socket; null for anything that is not a socket. */
export let coreOf: (value: unknown) => SocketCore | null

/** A socket as the application has it: what {@link Socket} says, and nothing else that has a name. */
export abstract class BaseSocket<Data> implements Socket<Data>, Recipient {
  static {
    coreOf = (value) => (typeof value === 'object' && value !== null && #core in value ? value.#core : null)
  }

  data: Data
  readonly #core: SocketCore

  constructor(core: SocketCore, data: Data) {
    this.data = data
    this.#core = core
  }

  get id(): string {
    return this.#core.id
  }

  get url(): string {
    return this.#core.url
  }

  get protocol(): string {
    return this.#core.protocol
  }

  get extensions(): string {
    return this.#core.extensions
  }

  get secure(): boolean {
    return this.#core.secure
  }

  get remoteAddress(): string {
    return this.#core.remoteAddress
  }

  get readyState(): ReadyState {
    return this.#core.driver.connection.readyState
  }

  get bufferedAmount(): number {
    return this.#core.driver.bufferedAmount
  }

  get rttMs(): number | undefined {
    return this.#core.driver.connection.rttMs
  }

  get closed(): Promise<CloseInfo> {
    return this.#core.closed
  }

  get signal(): AbortSignal {
    return this.#core.signal
  }

  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    return this.#core.driver.send(data, options)
  }

  sendJson(value: unknown, options?: SendOptions): boolean {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined)
      throw new TypeError(`value must be one that JSON has text for, not ${typeof value}`)
    return this.#core.driver.send(text, options)
  }

  ping(data?: MessageData): boolean {
    return this.#core.driver.ping(data)
  }

  pong(data?: MessageData): boolean {
    return this.#core.driver.pong(data)
  }

  drained(options: WaitOptions = {}): Promise<void> {
    return this.#core.drained(options)
  }

  pause(): void {
    this.#core.driver.pause()
  }

  resume(): void {
    this.#core.resume()
  }

  close(code?: number, reason?: string, options?: WaitOptions): Promise<CloseInfo> {
    return this.#core.close(code, reason, options)
  }

  terminate(): void {
    this.#core.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000)
  }

  [DELIVER](message: PreparedMessage): DeliveryOutcome {
    return this.#core.driver.deliver(message)
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
