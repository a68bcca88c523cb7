/**
 * The application of the model: handlers that do what the message tells them, and an account of all that it was told,
 * sent and promised. What it finds wrong it keeps: an error thrown in a handler would be the engine's to tell.
 */
import type { ClientSocket } from '../../src/client/client-socket.js'
import type { CloseInfo } from '../../src/connection/events.js'
import { payloadOf, PreparedMessage } from '../../src/connection/prepared-message.js'
import type { LimitOptions } from '../../src/limits.js'
import { closeWith } from '../../src/service/service.js'
import type { DeliveryOutcome, SlowConsumerPolicy } from '../../src/socket/driver-owner.js'
import { coreOf } from '../../src/socket/base-socket.js'
import type { SocketCore } from '../../src/socket/socket-core.js'
import type { Socket } from '../../src/socket/socket.js'
import type { LineKind } from './model-line.js'

export interface WorldOptions {
  /** Who is under test: a server's connection, a client's with handlers, or a client's that is read by `receive`. */
  readonly role: 'server' | 'client' | 'reader'
  readonly line: LineKind
  /** What the buffers of the system hold on the way to the peer. */
  readonly systemBytes: number
  readonly isCompressing: boolean
  readonly slowConsumer: SlowConsumerPolicy
  readonly limits: LimitOptions
  readonly concurrency: number
  /** What `onOpen` does: nothing, wait for so many milliseconds, or wait for ever. */
  readonly opening: 'at once' | 'never' | number
}

/** What the handler of a message does. */
export type Behaviour =
  | readonly ['nothing']
  | readonly ['wait', ms: number]
  | readonly ['never']
  | readonly ['throw']
  | readonly ['reject', ms: number]
  | readonly ['reply', byteLength: number]
  | readonly ['replyLater', ms: number, byteLength: number]
  | readonly ['stream', parts: number, byteLength: number]
  | readonly ['endless', byteLength: number]
  | readonly ['send', byteLength: number]
  | readonly ['drain', byteLength: number]
  | readonly ['pause', ms: number]
  | readonly ['close']
  | readonly ['closeWith']
  | readonly ['terminate']

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const never = new Promise<never>(() => undefined)

/** Text of so many bytes that begins with a label. */
export const padded = (label: string, byteLength: number): string =>
  label + 'x'.repeat(Math.max(0, byteLength - label.length))

export interface SentOut {
  readonly bytes: Buffer
  /** With its header. */
  readonly frameBytes: number
}

export class ModelApplication {
  readonly wrongs: string[] = []
  /** Bytes that were sent and perhaps not copied. */
  private readonly given: Buffer[] = []
  /** What was taken to be sent, in order. */
  readonly sent: SentOut[] = []
  sentFrameBytes = 0
  largestFrameBytes = 0
  pingCount = 0
  /** Ids of messages whose handlers were called, in order. */
  startedCount = 0
  runningCount = 0
  /** Replies that handlers returned, and those that were taken. */
  returnedReplies: number[] = []
  readonly takenReplies = new Set<number>()
  /** Reply streams that were begun and are not through. */
  openStreams = 0
  readonly errors: Error[] = []
  readonly promises = new Map<string, 'pending' | 'resolved' | 'rejected'>()
  closeInfo: CloseInfo | null = null
  closedAt = 0
  isTerminated = false
  /** A handler, or onOpen, does not return: messages may wait until nobody waits for them. */
  isHeldUp = false
  /** So long all handlers take together, if one runs after the other. */
  waitMs = 0
  /** It paused, and did not resume. */
  isPaused = false
  hasThrown = false
  /** When an explicit timeout cuts the connection. */
  closeDeadline = Infinity
  /** The shortest of the explicit timeouts. */
  shortestTimeoutMs = Infinity
  hasClosed = false
  lastIdleAt = -Infinity
  readonly handlers: Record<string, unknown>
  private readonly options: WorldOptions
  private socket!: Socket
  private callDepth = 0
  private handlerDepth = 0
  private labelCount = 0
  private promiseCount = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.handlers = this.makeHandlers()
  }

  /** The connection is made; nothing was called yet. */
  begin(socket: Socket): void {
    this.socket = socket
    const { driver } = coreOf(socket) as SocketCore
    const send = driver.send.bind(driver)
    driver.send = (data, options) => {
      const before = driver.flow.messagesSent
      const hadRoom = driver.hasRoom
      const hasRoom = this.call(() => send(data, options))
      if (driver.flow.messagesSent > before) this.wasTaken(data, hadRoom)
      else if (hasRoom) this.wrong('send returned true and took nothing')
      if (hasRoom && !driver.hasRoom) this.wrong('send returned true above the mark')
      return hasRoom
    }
    const deliver = driver.deliver.bind(driver)
    driver.deliver = (message): DeliveryOutcome => {
      const before = driver.flow.messagesSent
      const outcome = this.call(() => deliver(message))
      if ((outcome === 'sent') !== driver.flow.messagesSent > before) this.wrong(`deliver told of ${outcome}`)
      if (outcome === 'sent') this.wasTaken(message, true)
      return outcome
    }
    this.promise('closed', socket.closed)
  }

  wrong(what: string): void {
    this.wrongs.push(what)
  }

  /** Calls the connection: no handler may run inside. */
  call<T>(run: () => T): T {
    this.callDepth++
    try {
      return run()
    } finally {
      this.callDepth--
    }
  }

  /** Keeps an eye on a promise that has to settle. */
  promise(name: string, promise: Promise<unknown>): void {
    const key = `${name} ${this.promiseCount++}`
    this.promises.set(key, 'pending')
    promise.then(
      () => this.promises.set(key, 'resolved'),
      () => this.promises.set(key, 'rejected'),
    )
  }

  /** Whether a handler threw, or a limit of this side was reached. */
  get hasFailed(): boolean {
    return (
      this.hasThrown ||
      this.errors.some((error) => (error as { code?: string }).code === 'HAWSER_SLOW_CONSUMER')
    )
  }

  get pendingPromises(): string[] {
    return [...this.promises].filter(([, state]) => state === 'pending').map(([name]) => name)
  }

  send(byteLength: number, kind: 'text' | 'binary' | 'prepared', compress: boolean): void {
    const text = padded(`s${this.labelCount++} `, byteLength)
    if (kind === 'prepared')
      (coreOf(this.socket) as SocketCore).driver.deliver(new PreparedMessage(text, { compress }))
    else if (kind === 'text') this.socket.send(text, { compress })
    else {
      const bytes = Buffer.from(text)
      const copy = this.labelCount % 2 === 0
      // Those that were not copied have left.
      if (this.socket.bufferedAmount === 0) for (const one of this.given.splice(0)) one.fill(0x21)
      this.socket.send(bytes, { compress, copy })
      // The caller's bytes are the caller's again.
      if (copy || bytes.length < 16 * 1024) bytes.fill(0x21)
      else this.given.push(bytes)
    }
  }

  drained(timeoutMs?: number): void {
    this.call(() =>
      this.promise('drained', this.socket.drained(timeoutMs === undefined ? {} : { timeoutMs })),
    )
  }

  close(timeoutMs?: number): void {
    this.hasClosed = true
    this.isPaused = false
    if (timeoutMs !== undefined) {
      this.closeDeadline = Math.min(this.closeDeadline, performance.now() + timeoutMs)
      this.shortestTimeoutMs = Math.min(this.shortestTimeoutMs, timeoutMs)
    }
    const options = timeoutMs === undefined ? {} : { timeoutMs }
    this.call(() => this.promise('close', this.socket.close(1000, '', options)))
  }

  terminate(): void {
    this.isTerminated = true
    this.call(() => {
      this.socket.terminate()
    })
  }

  ping(): void {
    this.pingCount++
    this.call(() => this.socket.ping(`ping ${this.pingCount}`))
  }

  pause(): void {
    this.isPaused = true
    this.call(() => {
      this.socket.pause()
    })
  }

  resume(): void {
    this.isPaused = false
    this.call(() => {
      this.socket.resume()
    })
  }

  hearUnheard(error: Error): void {
    this.wrong(`an error that nobody heard: ${String(error)}`)
  }

  /** Reads as a client without a handler for messages does, one after the other, to the end. */
  readAll(socket: ClientSocket): void {
    const read = async (): Promise<void> => {
      for await (const message of socket) {
        const [, behaviour] = this.started(message)
        if (behaviour[0] === 'wait') await delay(behaviour[1])
      }
    }
    this.promise('reading', read())
  }

  private wasTaken(data: unknown, hadRoom: boolean): void {
    const bytes =
      data instanceof PreparedMessage
        ? Buffer.from(payloadOf(data))
        : Buffer.from(data as string | Uint8Array as string)
    const header = bytes.length < 126 ? 2 : bytes.length < 65_536 ? 4 : 10
    const frameBytes = bytes.length + header + (this.options.role === 'server' ? 0 : 4)
    this.sent.push({ bytes, frameBytes })
    this.sentFrameBytes += frameBytes
    this.largestFrameBytes = Math.max(this.largestFrameBytes, frameBytes)
    const reply = /^[rp](\d+)[ .]/.exec(bytes.toString('latin1', 0, 12))
    if (reply === null) return
    if (!hadRoom) this.wrong(`a reply to message ${reply[1]} did not wait for room`)
    if (bytes[0] !== 0x72) return
    const id = Number(reply[1])
    if (this.takenReplies.has(id)) this.wrong(`reply ${id} was sent twice`)
    this.takenReplies.add(id)
  }

  /** A handler is being called. */
  private enter<T>(name: string, run: () => T): T {
    if (this.callDepth > 0) this.wrong(`${name} ran inside a call of the application`)
    if (this.handlerDepth > 0) this.wrong(`${name} ran inside another handler`)
    if (this.closeInfo !== null) this.wrong(`${name} came after onClose`)
    this.handlerDepth++
    try {
      return run()
    } finally {
      this.handlerDepth--
    }
  }

  private started(message: string | Buffer): [id: number, behaviour: Behaviour] {
    const text = typeof message === 'string' ? message : message.toString('latin1', 0, 200)
    const [id = '', behaviour = ''] = text.split('|', 2)
    if (Number(id) !== this.startedCount) this.wrong(`message ${id} came instead of ${this.startedCount}`)
    this.startedCount++
    return [Number(id), JSON.parse(behaviour) as Behaviour]
  }

  private makeHandlers(): Record<string, unknown> {
    const { role, opening, concurrency } = this.options
    let isOpened = opening === 'at once'
    if (opening === 'never') this.isHeldUp = true
    const others: Record<string, unknown> = {}
    for (const name of ['onPing', 'onPong', 'onDrain', 'onIdleTimeout']) {
      others[name] = () =>
        this.enter(name, () => {
          if (!isOpened && (name === 'onPing' || name === 'onPong'))
            this.wrong(`${name} did not wait for onOpen`)
          if (name !== 'onIdleTimeout') return undefined
          this.lastIdleAt = performance.now()
          return 'keep'
        })
    }
    const onMessage = (_: Socket, message: string | Buffer): unknown =>
      this.enter('onMessage', () => {
        if (!isOpened) this.wrong('onMessage did not wait for onOpen')
        // RFC 6455 section 7.1.7.
        if (this.hasFailed) this.wrong('onMessage came after the connection had failed')
        const [id, behaviour] = this.started(message)
        return this.act(id, behaviour)
      })
    return {
      ...others,
      // A client that has none reads messages one by one.
      ...(role === 'reader' ? {} : { onMessage }),
      concurrency,
      onOpen: (socket: Socket & { join?: (group: string) => boolean }) =>
        this.enter('onOpen', () => {
          socket.join?.('all')
          if (opening === 'at once') return undefined
          const opened = opening === 'never' ? never : delay(opening)
          return opened.then(() => {
            isOpened = true
          })
        }),
      onError: (_: Socket, error: Error) => this.enter('onError', () => void this.errors.push(error)),
      onClose: (_: Socket, info: CloseInfo) => {
        this.enter('onClose', () => undefined)
        this.closeInfo = info
        this.closedAt = performance.now()
      },
    }
  }

  private act(id: number, behaviour: Behaviour): unknown {
    const reply = (byteLength: number): string => {
      this.returnedReplies.push(id)
      return padded(`r${id} `, byteLength)
    }
    switch (behaviour[0]) {
      case 'nothing':
        return undefined
      case 'wait':
        return this.running(delay(behaviour[1]))
      case 'never':
        this.isHeldUp = true
        return this.running(never)
      case 'throw':
        this.hasThrown = true
        throw new Error('as it was told')
      case 'reject':
        return this.running(
          delay(behaviour[1]).then(() => {
            this.hasThrown = true
            throw new Error('as it was told')
          }),
        )
      case 'reply':
        return reply(behaviour[1])
      case 'replyLater':
        return this.running(delay(behaviour[1])).then(() => reply(behaviour[2]))
      case 'stream':
        return this.stream(id, behaviour[1], behaviour[2])
      case 'endless':
        this.isHeldUp = true
        return this.stream(id, Infinity, behaviour[1])
      case 'send':
        this.send(behaviour[1], 'text', true)
        return undefined
      case 'drain':
        this.send(behaviour[1], 'binary', true)
        return this.running(this.untilDrained())
      case 'pause':
        this.pause()
        void delay(behaviour[1]).then(() => {
          this.resume()
        })
        return undefined
      case 'close':
        this.close()
        return undefined
      case 'closeWith':
        this.hasClosed = true
        this.isPaused = false
        return closeWith(1000, 'enough')
      case 'terminate':
        this.terminate()
        return undefined
    }
  }

  private async untilDrained(): Promise<void> {
    const drained = this.call(() => this.socket.drained())
    this.promise('drained', drained)
    await drained.catch(() => undefined)
  }

  private async running<T>(work: Promise<T>): Promise<T> {
    this.runningCount++
    try {
      return await work
    } finally {
      this.runningCount--
    }
  }

  private async *stream(id: number, parts: number, byteLength: number): AsyncGenerator<string> {
    this.openStreams++
    try {
      for (let part = 0; part < parts; part++) {
        await delay(10)
        yield padded(`p${id}.${part} `, byteLength)
      }
    } finally {
      this.openStreams--
    }
  }
}
