/** One direction of one connection through a proxy (fault-proxy.ts), and what can happen to it at one byte. */
import type { Socket } from 'node:net'

/** Whose bytes. */
export type Sender = 'client' | 'server'

/** What changes nothing but when bytes arrive, and in how many pieces. */
export type Harmless = 'delay' | 'split' | 'drip' | 'merge'
/** What ends the connection, or leaves it to its timers. */
export type Harmful = 'truncate' | 'reset' | 'halfClose' | 'stall' | 'silence'

/** What happens once so many bytes of one end have passed. */
export interface Fault {
  readonly from: Sender
  /** From 0, before the first byte, to the number of bytes: after the last one. */
  readonly at: number
  /**
   * - `delay`: the next byte passes {@link DELAY_MS} later; `split`: it passes two turns of the event loop later, in a write of its own
   * - `drip`: from here on each byte passes in a write of its own
   * - `merge`: from here on bytes wait until their sender is quiet for {@link QUIET_MS}, and pass in one write, with its FIN
   * - `truncate`: both ends get a FIN, and no byte more; `reset`: both get a RST
   * - `halfClose`: the receiver gets a FIN; what the sender still sends is swallowed, the other direction goes on
   * - `stall`: nothing more of this direction passes, not even its end; `silence`: of both directions
   * - `hold`: as `stall`, until `FaultLink.release`
   */
  readonly kind: Harmless | Harmful | 'hold'
  /** Called when it happens. */
  readonly met?: () => void
}

export const DELAY_MS = 15
export const QUIET_MS = 10
const QUIET_TURNS = 12
/** How often a flow with a rate lets bytes pass. */
const STEP_MS = 10
/** A flow that has more than this to pass on reads no further. */
const MAX_WAITING_BYTES = 64 * 1024

/** What a flow needs of its connection. */
export interface FlowOwner {
  /** Ends both sides. */
  truncate(): void
  /** Resets both sides. */
  reset(): void
  /** Lets nothing through. */
  silence(): void
}

export class FaultFlow {
  /** How many bytes passed. */
  passed = 0
  /** The bytes that passed, if they are kept. */
  readonly kept: Buffer[] = []
  /** Nothing passes any more, as on a line that is dead. */
  isDead = false
  private readonly from: Socket
  private readonly to: Socket
  private readonly owner: FlowOwner
  private readonly faults: Fault[]
  private readonly isKeeping: boolean
  private waiting: Buffer[] = []
  private waitingBytes = 0
  /** A fault keeps everything back. */
  private isHeld = false
  /** The receiver was ended: what still comes is swallowed. */
  private isOver = false
  /** The sender's FIN was read, and was passed on. */
  private hasEnded = false
  private isEnded = false
  private isDripping = false
  private isMerging = false
  /** The sender was quiet, and has not been heard since. */
  private isQuiet = false
  private sounds = 0
  private quietTimer: NodeJS.Timeout | undefined
  /** The receiver's stream is full. */
  private isBlocked = false
  /** How many bytes may pass until the next step of a flow with a rate. */
  private allowance = Infinity
  private stepTimer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, owner: FlowOwner, faults: readonly Fault[], isKeeping: boolean) {
    this.from = from
    this.to = to
    this.owner = owner
    this.faults = [...faults].sort((a, b) => a.at - b.at)
    this.isKeeping = isKeeping
    from.on('data', (chunk: Buffer) => {
      this.take(chunk)
    })
    from.on('end', () => {
      this.hasEnded = true
      this.sound()
      this.pump()
    })
    from.on('close', () => {
      clearInterval(this.stepTimer)
    })
    to.on('drain', () => {
      this.isBlocked = false
      this.pump()
    })
  }

  /** Lets bytes pass: those that come, and faults before the first of them. */
  begin(): void {
    this.pump()
  }

  /** Lets so many bytes pass in a second; Infinity: as fast as it goes; 0: none. */
  pace(bytesPerSecond: number): void {
    clearInterval(this.stepTimer)
    this.allowance = bytesPerSecond === Infinity ? Infinity : 0
    if (bytesPerSecond !== Infinity && bytesPerSecond > 0) {
      this.stepTimer = setInterval(() => {
        this.allowance = Math.ceil((bytesPerSecond * STEP_MS) / 1000)
        this.pump()
      }, STEP_MS)
    }
    this.pump()
  }

  /** Keeps everything back, and reads no more, so that the sender notices. */
  hold(): void {
    this.isHeld = true
    this.from.pause()
  }

  release(): void {
    this.isHeld = false
    this.pump()
  }

  /** Gives the receiver a FIN after what passed. What comes from now on is swallowed. */
  end(): void {
    this.isOver = true
    this.waiting = []
    this.waitingBytes = 0
    // Read on: a socket that is closed with bytes unread is reset.
    this.from.resume()
    this.to.end()
  }

  private take(chunk: Buffer): void {
    if (this.isOver || this.isDead) return
    this.waiting.push(chunk)
    this.waitingBytes += chunk.length
    this.sound()
    this.pump()
  }

  /** The sender is not quiet. */
  private sound(): void {
    if (!this.isMerging) return
    this.isQuiet = false
    const sound = ++this.sounds
    clearTimeout(this.quietTimer)
    // On a busy machine the time alone says little: the sender has its turns as well.
    const wait = (turns: number): void => {
      if (sound !== this.sounds) return
      if (turns > 0) {
        setImmediate(() => {
          wait(turns - 1)
        })
        return
      }
      // It stays so until the sender is heard again: the receiver may be full now, and take what waits later.
      this.isQuiet = true
      this.pump()
    }
    this.quietTimer = setTimeout(() => {
      wait(QUIET_TURNS)
    }, QUIET_MS)
  }

  private pump(): void {
    if (this.to.destroyed) this.isOver = true
    while (!this.isHeld && !this.isBlocked && !this.isOver && !this.isDead) {
      const next = this.faults[0]
      if (next !== undefined && next.at <= this.passed) {
        this.faults.shift()
        this.meet(next)
        continue
      }
      if (this.isMerging && !this.isQuiet) break
      if (this.waitingBytes === 0) {
        this.passEnd()
        break
      }
      const upToFault = next === undefined ? Infinity : next.at - this.passed
      const count = Math.min(this.waitingBytes, upToFault, this.allowance, this.isDripping ? 1 : Infinity)
      if (count === 0) break
      this.pass(this.takeWaiting(count))
      if (this.isDripping) this.holdForATurn()
    }
    if (this.isHeld && this.waitingBytes <= MAX_WAITING_BYTES) return
    if (this.waitingBytes > MAX_WAITING_BYTES) this.from.pause()
    else this.from.resume()
  }

  private meet({ kind, met }: Fault): void {
    met?.()
    switch (kind) {
      case 'delay':
        this.isHeld = true
        setTimeout(() => {
          this.release()
        }, DELAY_MS)
        break
      case 'split':
        this.holdForATurn()
        break
      case 'drip':
        this.isDripping = true
        break
      case 'merge':
        this.isMerging = true
        this.sound()
        break
      case 'truncate':
        this.owner.truncate()
        break
      case 'reset':
        this.owner.reset()
        break
      case 'halfClose':
        this.end()
        break
      case 'stall':
      case 'hold':
        this.hold()
        break
      case 'silence':
        this.owner.silence()
    }
  }

  /** Until the receiver, in this process, had a chance to read what passed: between the two the event loop polls. */
  private holdForATurn(): void {
    this.isHeld = true
    setImmediate(() =>
      setImmediate(() => {
        this.release()
      }),
    )
  }

  private takeWaiting(count: number): Buffer {
    const all = this.waiting.length === 1 ? (this.waiting[0] as Buffer) : Buffer.concat(this.waiting)
    this.waiting = count === all.length ? [] : [all.subarray(count)]
    this.waitingBytes -= count
    return all.subarray(0, count)
  }

  private pass(bytes: Buffer): void {
    this.passed += bytes.length
    this.allowance -= bytes.length
    if (this.isKeeping) this.kept.push(bytes)
    if (!this.to.write(bytes)) this.isBlocked = true
  }

  private passEnd(): void {
    if (!this.hasEnded || this.isEnded) return
    this.isEnded = true
    this.to.end()
  }
}
