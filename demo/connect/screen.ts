import type { WireReport } from '../frame-tap.js'
import type { ConnectCommand } from './connect-arguments.js'
import { frameLines } from './frame-lines.js'
import { hexdump } from './hexdump.js'
import { layOutJson } from './json-layout.js'
import { printable } from './printable.js'
import type { Prompt } from './prompt.js'
import { PLAIN, styleFor, type MaybeTerminal, type Style } from './style.js'

/** Where a command reads and writes. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream & MaybeTerminal & { destroy(): unknown }
  readonly stdout: NodeJS.WritableStream & MaybeTerminal
  readonly stderr: NodeJS.WritableStream & MaybeTerminal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The most that a terminal shows of one message. A pipe gets all of it. */
const MAX_SHOWN_CHARACTERS = 64 * 1024
const MAX_SHOWN_BYTES = 4 * 1024

/** What the command writes: messages to the standard output, everything else beside the prompt or to the standard error. */
export class Screen {
  /** Set while there is a prompt. */
  prompt: Prompt | null = null
  private readonly command: ConnectCommand
  private readonly stdout: Streams['stdout']
  private readonly stderr: Streams['stderr']
  private readonly style: Style
  private readonly errorStyle: Style
  private readonly isTerminal: boolean
  private isBroken = false

  /** @param onBroken nobody reads the standard output any more */
  constructor(command: ConnectCommand, { stdout, stderr, env }: Streams, onBroken: (error: Error) => void) {
    this.command = command
    this.stdout = stdout
    this.stderr = stderr
    this.style = styleFor(stdout, env)
    this.errorStyle = styleFor(stderr, env)
    this.isTerminal = stdout.isTTY === true
    stdout.on('error', (error: Error) => {
      this.isBroken = true
      onBroken(error)
    })
    // There is nowhere left to say so.
    stderr.on('error', () => undefined)
  }

  /**
   * Writes a message that was received.
   * @returns a promise where there was no room: it resolves when there is, or nobody reads any more
   */
  message(data: string | Buffer): Promise<void> | undefined {
    if (this.isTerminal) return this.write(`${this.shown(data)}\n`)
    const end = this.command.isNullSeparated ? '\0' : '\n'
    const text = this.plain(data)
    if (typeof text === 'string') return this.write(`${text}${end}`)
    return this.write(Buffer.concat([text, Buffer.from(end)]))
  }

  /** What happens to the connection: for who types, and for who asked for it. */
  note(text: string): void {
    if (this.prompt === null && !this.command.isVerbose) return
    this.tell(printable(text), 'dim')
  }

  /** What was asked for by a flag or a command, beside the messages. */
  result(text: string): void {
    this.tell(printable(text), 'cyan')
  }

  /** A frame that passed: beside the messages, so that a pipe gets these alone. */
  frame(report: WireReport): void {
    this.tell(printable(frameLines(report).join('\n')), 'dim')
  }

  error(text: string): void {
    this.tell(`hawser: ${printable(text)}`, 'red')
  }

  private tell(text: string, colour: 'dim' | 'cyan' | 'red'): void {
    if (this.prompt !== null) this.prompt.print(this.style[colour](text))
    else this.stderr.write(`${this.errorStyle[colour](text)}\n`)
  }

  private write(data: string | Buffer): Promise<void> | undefined {
    if (this.isBroken) return undefined
    if (this.prompt !== null && typeof data === 'string') {
      this.prompt.print(data.slice(0, -1))
      return undefined
    }
    if (this.stdout.write(data)) return undefined
    return new Promise((resolve) => {
      const settle = (): void => {
        for (const name of ['drain', 'close', 'error']) this.stdout.off(name, settle)
        resolve()
      }
      for (const name of ['drain', 'close', 'error']) this.stdout.on(name, settle)
    })
  }

  /** For a pipe. */
  private plain(data: string | Buffer): string | Buffer {
    if (typeof data === 'string') {
      return (this.command.indentsJson === true ? layOutJson(data, PLAIN) : null) ?? data
    }
    switch (this.command.binary) {
      case 'base64':
        return data.toString('base64')
      case 'text':
        return data
      default:
        return data.toString('hex')
    }
  }

  /** For a terminal. */
  private shown(data: string | Buffer): string {
    const mark = this.style.green('<')
    if (typeof data !== 'string') return `${mark} ${this.shownBytes(data)}`
    const isLong = data.length > MAX_SHOWN_CHARACTERS
    const text = printable(isLong ? data.slice(0, MAX_SHOWN_CHARACTERS) : data)
    const json = isLong || this.command.indentsJson === false ? null : layOutJson(text, this.style)
    const lines = `${mark} ${(json ?? text).replace(/\n/g, '\n  ')}`
    if (!isLong) return lines
    return `${lines}\n  ${this.style.dim(`the first ${String(MAX_SHOWN_CHARACTERS)} of ${String(data.length)} characters; a pipe gets all`)}`
  }

  private shownBytes(data: Buffer): string {
    const lines = hexdump(data.subarray(0, MAX_SHOWN_BYTES)).map((line) => `\n  ${line}`)
    const size = this.style.dim(`${String(data.length)} bytes`)
    if (data.length <= MAX_SHOWN_BYTES) return `${size}${lines.join('')}`
    return `${size}${lines.join('')}\n  ${this.style.dim(`the first ${String(MAX_SHOWN_BYTES)}; a pipe gets all`)}`
  }
}
