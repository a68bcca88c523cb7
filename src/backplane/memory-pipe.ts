import type { Pipe, WireMessage } from './wire.js'

/** Half of a pipe within one process. What is posted comes out in a later turn of the event loop, in order. */
class MemoryPipe implements Pipe {
  readonly isForOne = true
  peer: MemoryPipe | null = null
  private queue: WireMessage[] = []
  private receive: ((message: unknown) => void) | null = null

  post(message: WireMessage): void {
    this.peer?.enqueue(message)
  }

  listen(receive: (message: unknown) => void): () => void {
    this.receive = receive
    return () => {
      this.receive = null
      this.queue = []
    }
  }

  private enqueue(message: WireMessage): void {
    if (this.receive === null) return
    this.queue.push(message)
    if (this.queue.length > 1) return
    setImmediate(() => {
      const { queue } = this
      this.queue = []
      for (const one of queue) this.receive?.(one)
    })
  }
}

/** Both ends. */
export function memoryPipes(): [Pipe, Pipe] {
  const [a, b] = [new MemoryPipe(), new MemoryPipe()]
  a.peer = b
  b.peer = a
  return [a, b]
}
