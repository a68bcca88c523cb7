/** A driver over a transport that does what a test says, to the byte: what the system takes, what it answers, and when. */
import type { ConnectionEvent } from '../../src/connection/events.js'
import type { MessageCodec } from '../../src/extension/message-codec.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../src/limits.js'
import type { SlowConsumerPolicy } from '../../src/socket/driver-owner.js'
import { SocketDriver } from '../../src/socket/socket-driver.js'
import { monotonicNow, timerWheel } from '../../src/transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../../src/transport/transport.js'
import { readFrames } from './frame-builder.js'
import { nextTurn } from './memory-duplex.js'
import { showEvent } from './pull.js'

const SLOT_MS = 16

export class HandTransport implements Transport {
  freesAtOnce = true
  blocksOnPeer = true
  readonly counter = { bytesRead: 0, bytesWritten: 0 }
  /** How many bytes the system still takes. */
  roomBytes = Infinity
  /** Up to so many pending bytes, a further write is taken. */
  mostPendingBytes = 0
  pendingBytes = 0
  isDestroyed = false
  hasFailed = false
  failure: Error | null = null
  isReading = false
  /** What the system answers when it is asked what the peer did not take. */
  queued: number | 'asking' | null = null
  /** How old each answer might have been. */
  readonly asked: (number | undefined)[] = []
  /** What was written, one entry for each write. */
  readonly writes: Buffer[] = []
  /** Whether a write had a payload of its own. */
  readonly hadPayload: boolean[] = []
  resumeCount = 0
  endCount = 0
  destroyCount = 0
  owner: TransportOwner | null = null

  get unsentBytes(): number {
    return this.pendingBytes
  }

  get hasRoom(): boolean {
    return this.pendingBytes <= this.mostPendingBytes
  }

  /** All that was written, as frames. */
  get texts(): string[] {
    return readFrames(Buffer.concat(this.writes)).frames.map(({ opcode, text, closeCode }) =>
      opcode === 8 ? `close ${String(closeCode)}` : text,
    )
  }

  queuedBytes(maxAgeMs?: number): number | 'asking' | null {
    this.asked.push(maxAgeMs)
    return this.queued
  }

  setOwner(owner: TransportOwner): void {
    this.owner = owner
  }

  write(bytes: Buffer, payload: Uint8Array | null = null): boolean {
    if (!this.hasRoom) throw new Error('a write before there is room')
    const whole = payload === null ? Buffer.from(bytes) : Buffer.concat([bytes, payload])
    this.writes.push(whole)
    this.hadPayload.push(payload !== null)
    this.counter.bytesWritten += whole.length
    this.pendingBytes += whole.length
    this.accept()
    return this.pendingBytes === 0
  }

  /** The system takes so many bytes more, and says so. */
  take(count = Infinity): void {
    this.roomBytes += count
    this.accept()
    this.owner?.unblock(this.pendingBytes === 0)
  }

  /** Bytes of the peer: the buffer is lent, and rubbish after the call. */
  deliver(...parts: readonly Uint8Array[]): void {
    const chunk = Buffer.concat(parts)
    this.counter.bytesRead += chunk.length
    this.owner?.receive(chunk)
    chunk.fill(0xdd)
  }

  resume(): void {
    this.resumeCount++
    this.isReading = true
  }

  pause(): void {
    this.isReading = false
  }

  end(): void {
    this.endCount++
  }

  destroy(): void {
    this.destroyCount++
    this.isDestroyed = true
    this.isReading = false
  }

  private accept(): void {
    const count = Math.min(this.roomBytes, this.pendingBytes)
    this.roomBytes -= count
    this.pendingBytes -= count
  }
}

export interface HandDriven {
  readonly driver: SocketDriver
  readonly transport: HandTransport
  /** What the owner was told, a line each. */
  readonly told: string[]
  /** Called with each event. */
  onEvent: (event: ConnectionEvent) => void
  onDrain: () => void
}

export interface HandOptions {
  readonly role?: 'server' | 'client'
  readonly slowConsumer?: SlowConsumerPolicy
  readonly codec?: MessageCodec | null
  /** Changed before the driver is made. */
  readonly transport?: Partial<HandTransport>
  /** Bytes that came with the handshake; null: the driver is not started. */
  readonly head?: Uint8Array | null
}

const drivers: SocketDriver[] = []

/** A driver that began to read, without a heartbeat unless the limits have one. {@link endDrivers} ends it. */
export function driveByHand(
  limitOptions: LimitOptions = {},
  {
    role = 'server',
    slowConsumer = 'close',
    codec = null,
    transport: state = {},
    head = new Uint8Array(0),
  }: HandOptions = {},
): HandDriven {
  const transport = Object.assign(new HandTransport(), state)
  const limits = resolveLimits({ heartbeatIntervalMs: Infinity, ...limitOptions }, SERVER_LIMITS)
  const told: string[] = []
  const driver = new SocketDriver(
    transport,
    { role, limits, codec },
    { limits, slowConsumer },
    {
      handleEvent: (event) => {
        told.push(showEvent(event))
        driven.onEvent(event)
      },
      handleDrain: () => {
        told.push('drain')
        driven.onDrain()
      },
      handleClosing: () => void told.push('closing'),
      handleSendingOver: () => void told.push('sendingOver'),
      handleGone: () => void told.push('gone'),
    },
  )
  const driven: HandDriven = { driver, transport, told, onEvent: () => undefined, onDrain: () => undefined }
  drivers.push(driver)
  if (head !== null) driver.start(head)
  return driven
}

/** For `afterEach`. */
export async function endDrivers(): Promise<void> {
  for (const driver of drivers.splice(0)) driver.terminate()
  await nextTurn()
}

/** The timer wheel calls a driver at this time: from then on it waits for no other. */
export function wheelCalls(driver: SocketDriver, now: number): void {
  timerWheel.cancel(driver)
  driver.timeIsUp(now)
}

/** Expects that the timer wheel calls a driver so long after what `call` does. */
export async function expectDueAfter(driver: SocketDriver, ms: number, call: () => unknown): Promise<void> {
  const before = monotonicNow()
  await call()
  expect(driver.timerSlot).toBeGreaterThanOrEqual(Math.ceil((before + ms) / SLOT_MS))
  expect(driver.timerSlot).toBeLessThanOrEqual(Math.ceil((monotonicNow() + ms) / SLOT_MS))
}

/** Expects that the timer wheel calls a driver at this time. */
export function expectDueAt(driver: SocketDriver, at: number): void {
  expect(driver.timerSlot).toBe(at === Infinity ? -1 : Math.ceil(at / SLOT_MS))
}
