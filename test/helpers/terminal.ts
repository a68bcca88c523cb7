/** A program in a real terminal (test/helpers/terminal.py), and what a person in front of it sees. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** The keys that a terminal sends as more than one character, or as one that cannot be seen. */
export const KEYS = { UP: '\x1b[A', ENTER: '\r', CTRL_C: '\x03', CTRL_D: '\x04' } as const

/** Long enough for a busy machine; a test that waits in vain says what it saw. */
const PATIENCE_MS = 15_000

/** The screen of a terminal: the part of ECMA-48 that Node's readline uses, and colours, which are left out. */
export class TerminalScreen {
  private readonly columns: number
  private readonly lines: string[][] = [[]]
  private row = 0
  private column = 0

  constructor(columns: number) {
    this.columns = columns
  }

  /** Every line from the start, also those that were scrolled out of sight, without blanks at the end. */
  get text(): string {
    return this.lines.map((line) => line.join('').trimEnd()).join('\n')
  }

  /** Shows what the program wrote. A sequence that is cut in two is not expected of one write of a short line. */
  write(output: string): void {
    const parts = /\x1b\[([\d;?]*)([A-Za-z])|[^]/gu // eslint-disable-line no-control-regex -- ESC begins a sequence
    for (const [part, parameter, final] of output.matchAll(parts)) {
      if (final !== undefined) this.control(final, parameter ?? '')
      else if (part === '\r') this.column = 0
      else if (part === '\n') this.moveDown()
      else this.put(part)
    }
  }

  private control(final: string, parameter: string): void {
    const count = parameter === '' ? 1 : Number(parameter)
    if (final === 'A') this.row = Math.max(0, this.row - count)
    else if (final === 'B') this.row += count
    else if (final === 'C') this.column += count
    else if (final === 'D') this.column = Math.max(0, this.column - count)
    else if (final === 'G') this.column = count - 1
    else if (final === 'J') this.clearDown()
    else if (final === 'K') this.line().length = Math.min(this.line().length, this.column)
    else if (!['m', 'h', 'l'].includes(final)) throw new Error(`a sequence that is not known: ${final}`)
  }

  private put(character: string): void {
    if (this.column === this.columns) {
      this.column = 0
      this.moveDown()
    }
    const line = this.line()
    while (line.length < this.column) line.push(' ')
    line[this.column++] = character
  }

  private moveDown(): void {
    this.row++
    this.line()
  }

  private line(): string[] {
    while (this.lines.length <= this.row) this.lines.push([])
    return this.lines[this.row] as string[]
  }

  private clearDown(): void {
    this.line().length = Math.min(this.line().length, this.column)
    this.lines.length = this.row + 1
  }
}

/**
 * The environment of a person's terminal, also where the tests run without one: what makes Node see no colours
 * (`CI`, `NO_COLOR` and so on; tty.WriteStream.getColorDepth) is left out.
 */
function personEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm' }
  for (const name of [
    'CI',
    'NO_COLOR',
    'FORCE_COLOR',
    'NODE_DISABLE_COLORS',
    'TMUX',
    'TEAMCITY_VERSION',
    'TERM_PROGRAM',
  ]) {
    delete environment[name]
  }
  return environment
}

/** A program that runs in a terminal. */
export class Terminal {
  /** The exit code; 128 and a number for a signal. */
  readonly ended: Promise<number | null>
  /** What the program wrote, with its control sequences. */
  raw = ''
  private readonly screen: TerminalScreen
  private readonly child: ChildProcess

  /** @param options `columns` of the terminal (default 80), and what `env` adds to the environment of a person */
  constructor(
    argv: readonly string[],
    { columns = 80, env = {} }: { columns?: number; env?: NodeJS.ProcessEnv } = {},
  ) {
    this.screen = new TerminalScreen(columns)
    const script = path.join(__dirname, 'terminal.py')
    this.child = spawn('python3', [script, String(columns), '24', ...argv], {
      env: { ...personEnvironment(), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (output: string) => {
      this.raw += output
      this.screen.write(output)
    })
    this.ended = once(this.child, 'close').then(([code]) => code as number | null)
  }

  get text(): string {
    return this.screen.text
  }

  /** Presses keys. */
  type(keys: string): void {
    this.child.stdin?.write(keys)
  }

  /** Waits until the screen shows something. */
  async shows(wanted: RegExp): Promise<void> {
    const giveUpAt = Date.now() + PATIENCE_MS
    while (!wanted.test(this.text)) {
      if (Date.now() > giveUpAt || this.child.exitCode !== null) {
        throw new Error(`the screen never showed ${String(wanted)}:\n${this.text}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Ends the program, if it still runs. */
  kill(): void {
    this.child.kill('SIGKILL')
  }
}
