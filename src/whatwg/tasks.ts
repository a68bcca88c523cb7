/** Where messages come from. */
export interface Pausable {
  pause(): void
  resume(): void
}

/** Messages that wait for their task: so many bytes stop the reading. */
const MAX_WAITING_BYTES = 1024 * 1024
/** What a message counts besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64

function run(tasks: Tasks, task: () => void, bytes: number): void {
  task()
  tasks.done(bytes)
}

/**
 * The tasks of a WebSocket: each runs in a callback of its own, in order, so that microtasks run between two events. A peer
 * that sends faster than tasks run is not read meanwhile.
 */
export class Tasks {
  #waiting = 0
  #waitingBytes = 0
  #paused: Pausable | null = null

  get isEmpty(): boolean {
    return this.#waiting === 0
  }

  push(task: () => void): void {
    this.#waiting++
    setImmediate(run, this, task, 0)
  }

  /** As {@link push}, for a message that the socket received. */
  pushMessage(socket: Pausable, message: string | Buffer, task: () => void): void {
    const bytes = message.length + MESSAGE_OVERHEAD_BYTES
    this.#waiting++
    this.#waitingBytes += bytes
    if (this.#waitingBytes >= MAX_WAITING_BYTES && this.#paused === null) {
      this.#paused = socket
      socket.pause()
    }
    setImmediate(run, this, task, bytes)
  }

  /** A task ran. @param bytes its message counted so many */
  done(bytes: number): void {
    this.#waiting--
    this.#waitingBytes -= bytes
    if (this.#paused === null || this.#waitingBytes > 0) return
    const socket = this.#paused
    this.#paused = null
    socket.resume()
  }
}
