import type { Pipe, PipeMessage } from './pipe.js'

/** One end of a pipe within one process. What is posted arrives in a later turn of the event loop, in order. */
class MemoryPipe implements Pipe {
  readonly isForOne = true
  otherEnd: MemoryPipe | null = null
  private queue: PipeMessage[] = []
  private receive: ((message: unknown) => void) | null = null

  post(message: PipeMessage): void {
    this.otherEnd?.enqueue(message)
  }

  listen(receive: (message: unknown) => void): () => void {
    this.receive = receive
    return () => {
      this.receive = null
      this.queue = []
    }
  }

  private enqueue(message: PipeMessage): void {
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

/** Both ends of a pipe in memory. */
export function memoryPipes(): [Pipe, Pipe] {
  const [a, b] = [new MemoryPipe(), new MemoryPipe()]
  a.otherEnd = b
  b.otherEnd = a
  return [a, b]
}
