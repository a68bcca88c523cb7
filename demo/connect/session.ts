import { ConnectionClosedError, ReadyState, type ClientSocket, type CloseInfo } from 'hawser'
import { errorText } from '../error-text.js'
import { InputError } from './binary-formats.js'
import { DEFAULT_WAIT_MS, type ConnectCommand } from './connect-arguments.js'
import { EXIT, exitCodeOf } from './exit-codes.js'
import { describeEnd, withoutSecrets } from './failures.js'
import type { PingTimes } from './ping-times.js'
import { sendInput } from './pipe-input.js'
import { Prompt } from './prompt.js'
import { PROMPT_HELP, readPromptLine } from './prompt-line.js'
import type { Reconnects } from './reconnects.js'
import type { Screen, Streams } from './screen.js'

/** How long a peer may take to answer the Close frame when nothing more is wanted of it. */
const CLOSE_TIMEOUT_MS = 3000

/** A connection and the person or the pipes that it is for, from its opening to its end. */
export class Session {
  private readonly socket: ClientSocket<undefined>
  private readonly command: ConnectCommand
  private readonly streams: Streams
  private readonly screen: Screen
  private readonly pings: PingTimes
  private readonly reconnects: Reconnects | null
  private received = 0
  /** Overrides the exit code that follows from the end of the connection. */
  private outcome: number | null = null
  private lastError: unknown
  private waiting: NodeJS.Timeout | undefined
  private typed: Promise<void> = Promise.resolve()

  constructor(
    socket: ClientSocket<undefined>,
    command: ConnectCommand,
    streams: Streams,
    screen: Screen,
    pings: PingTimes,
    reconnects: Reconnects | null,
  ) {
    this.socket = socket
    this.command = command
    this.streams = streams
    this.screen = screen
    this.pings = pings
    this.reconnects = reconnects
  }

  /**
   * Goes on until the connection is over and its messages are written.
   * @param onInterrupt is told of a Ctrl+C at the prompt
   * @returns the exit code
   */
  async run(onInterrupt: () => void): Promise<number> {
    const { stdin, stdout } = this.streams
    if (stdin.isTTY === true && stdout.isTTY === true) this.openPrompt(onInterrupt)
    else void this.sendAll()
    this.noteOpening()
    const { pingIntervalMs } = this.command
    const pinger = pingIntervalMs === null ? undefined : setInterval(this.ping, pingIntervalMs)
    await this.receiveAll()
    const info = await this.socket.closed
    clearInterval(pinger)
    clearTimeout(this.waiting)
    this.screen.prompt?.close()
    const code = this.outcome ?? this.reconnects?.failure?.code ?? exitCodeOf(info)
    this.tellEnd(info, code)
    this.screen.prompt = null
    stdin.destroy()
    return code
  }

  /** Closes, and goes on until the end of the connection. */
  close(code: number): void {
    void this.socket.close(code)
  }

  /** Nothing more is wanted of the peer. @param outcome the exit code */
  finish(outcome: number): void {
    this.outcome ??= outcome
    void this.socket.close(1000, '', { timeoutMs: CLOSE_TIMEOUT_MS })
  }

  private noteOpening(): void {
    const { url, protocol, extensions } = this.socket
    const details = [
      ...(protocol === '' ? [] : [`subprotocol ${protocol}`]),
      ...(extensions === '' ? [] : [extensions]),
    ]
    this.screen.note(
      `connected to ${withoutSecrets(url)}${details.length === 0 ? '' : ` (${details.join(', ')})`}`,
    )
  }

  private tellEnd(info: CloseInfo, code: number): void {
    const { failure = null, hasGivenUp = false } = this.reconnects ?? {}
    const end = describeEnd(info, this.lastError)
    const text = failure?.message ?? `${end}${hasGivenUp ? '; not connecting again' : ''}`
    const isFailure = failure !== null || code === EXIT.LOST || code === EXIT.CLOSED_WITH_ERROR
    if (isFailure) this.screen.error(text)
    else this.screen.note(text)
    if (code === EXIT.TOO_FEW_MESSAGES) {
      this.screen.error(
        `the time of --wait was up after ${String(this.received)} of ${String(this.command.count)} messages`,
      )
    }
  }

  private async receiveAll(): Promise<void> {
    try {
      // A loop, and not calls of receive: what came before the end is written, however long the output has no room.
      for await (const message of this.socket) {
        // In the order of arrival: where the output has no room, nothing more is read.
        const room = this.screen.message(message)
        if (room !== undefined) await room
        if (++this.received !== this.command.count) continue
        this.finish(EXIT.CLEAN)
        return
      }
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error
      this.lastError = error.cause
    }
  }

  private async sendAll(): Promise<void> {
    try {
      await sendInput(this.streams.stdin as AsyncIterable<string | Buffer>, this.socket, this.command)
      this.waitForReplies()
    } catch (error) {
      // The end of the connection is told where it is noticed; so is that of an input which this side ended.
      if (error instanceof ConnectionClosedError || this.isEnding) return
      this.screen.error(error instanceof InputError ? error.message : `the input failed: ${errorText(error)}`)
      this.finish(EXIT.FAILED)
    }
  }

  /** After the end of the input. */
  private waitForReplies(): void {
    const { count } = this.command
    const waitMs = this.command.waitMs ?? (count === null ? DEFAULT_WAIT_MS : Infinity)
    if (waitMs === Infinity) return
    this.waiting = setTimeout(() => {
      if (count === null) this.close(1000)
      else this.finish(EXIT.TOO_FEW_MESSAGES)
    }, waitMs)
  }

  private openPrompt(onInterrupt: () => void): void {
    const { stdin, stdout } = this.streams
    this.screen.prompt = new Prompt(stdin, stdout, {
      line: (text) => {
        // One after the other: the bytes of a file take a while.
        this.typed = this.typed.then(() => this.takeLine(text))
      },
      interrupt: onInterrupt,
      end: () => {
        this.close(1000)
      },
    })
  }

  private async takeLine(text: string): Promise<void> {
    try {
      const request = await readPromptLine(text, this.command.binary)
      if (request.kind === 'send') await this.send(request.data)
      else if (request.kind === 'ping') this.sendPing(request.text)
      else if (request.kind === 'close') await this.socket.close(request.code, request.reason)
      else if (request.kind === 'help') this.screen.result(PROMPT_HELP)
    } catch (error) {
      // Whatever was typed: a wrong code, a ping of 126 bytes, a file that is not there.
      if (!(error instanceof ConnectionClosedError)) {
        this.screen.error(errorText(error))
      }
    }
  }

  private async send(data: string | Buffer): Promise<void> {
    this.checkConnected()
    if (this.socket.send(data)) return
    this.screen.prompt?.pause()
    try {
      await this.socket.drained()
    } finally {
      this.screen.prompt?.resume()
    }
  }

  private sendPing(text: string): void {
    this.checkConnected()
    this.socket.ping(this.pings.start(text))
  }

  private readonly ping = (): void => {
    if (this.socket.readyState === ReadyState.OPEN) this.socket.ping(this.pings.start())
  }

  /** Between two connections what was typed would be lost. The history has it. */
  private checkConnected(): void {
    if (this.socket.readyState === ReadyState.CONNECTING) throw new Error('not sent: there is no connection')
  }

  private get isEnding(): boolean {
    const { readyState } = this.socket
    return readyState === ReadyState.CLOSING || readyState === ReadyState.CLOSED
  }
}
