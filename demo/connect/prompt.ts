import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from 'node:readline'

const HISTORY_LINES = 1000

/** What a prompt tells. */
export interface PromptListener {
  line(text: string): void
  /** Ctrl+C. */
  interrupt(): void
  /** Ctrl+D, or the terminal is gone. */
  end(): void
}

/** A line to type in at the bottom of a terminal, with a history in memory. What is printed goes above it. */
export class Prompt {
  private readonly output: NodeJS.WritableStream
  private readonly readline: Interface
  private isOver = false

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream, listener: PromptListener) {
    this.output = output
    this.readline = createInterface({
      input,
      output,
      terminal: true,
      prompt: '> ',
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
    })
    this.readline.on('line', (text) => {
      // The line stands on the screen as it was typed; the next one begins at once.
      this.readline.prompt()
      listener.line(text)
    })
    this.readline.on('SIGINT', () => {
      listener.interrupt()
    })
    this.readline.on('close', () => {
      if (!this.isOver) listener.end()
    })
    this.readline.prompt()
  }

  /** Prints lines above the prompt. */
  print(text: string): void {
    if (this.isOver) {
      this.output.write(`${text}\n`)
      return
    }
    const { rows } = this.readline.getCursorPos()
    this.clear(rows)
    // Drawing the prompt again goes up as many rows as the cursor was below its first one.
    this.output.write(`${text}\n${'\n'.repeat(rows)}`)
    this.readline.prompt(true)
  }

  /** Takes the prompt away, and gives the terminal back as it was. */
  close(): void {
    if (this.isOver) return
    this.isOver = true
    this.clear(this.readline.getCursorPos().rows)
    this.readline.close()
  }

  /** Reads no line for a while, or goes on. */
  pause(): void {
    if (!this.isOver) this.readline.pause()
  }

  resume(): void {
    if (!this.isOver) this.readline.resume()
  }

  private clear(rows: number): void {
    moveCursor(this.output, 0, -rows)
    cursorTo(this.output, 0)
    clearScreenDown(this.output)
  }
}
