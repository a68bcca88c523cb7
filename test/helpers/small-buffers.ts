/** The relay of small-buffers.py, in a process of its own: the buffers of the system on both sides of it are small. */
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'

/** One connection through the relay. */
export interface NarrowLine {
  /** Where it takes the connection. */
  readonly port: number
  /** How many bytes went in and out of it, as far as the relay has told. */
  readonly moved: number
  /** How often the relay told that it runs. */
  readonly turns: number
  /** Reads no more of the side that it accepted, or of the side that it made. */
  stop(side: 'accepted' | 'made'): void
}

/** How many bytes a relay reads of its sides at most. */
export interface NarrowLimits {
  readonly accepted?: number
  readonly made?: number
}

/** A line of the relay's output: an answer, or what has moved since it told last. */
type Told = { readonly port: number } | { readonly moved: Readonly<Record<string, number>> }

export class SmallBuffers {
  private readonly child: ChildProcess
  private readonly waiting: ((port: number) => void)[] = []
  /** By port. */
  private readonly moved = new Map<number, number>()
  private turns = 0

  constructor() {
    this.child = spawn('python3', ['-S', '-E', path.join(__dirname, 'small-buffers.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child.stdin?.on('error', () => undefined)
    let rest = ''
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.hear(JSON.parse(line) as Told)
    })
  }

  /**
   * Takes one connection, which it relays to a port of 127.0.0.1.
   * @param limits how many bytes it reads of a side at most. Default: as many as there are
   */
  async to(target: number, limits: NarrowLimits = {}): Promise<NarrowLine> {
    const answered = new Promise<number>((resolve) => this.waiting.push(resolve))
    this.tell({ to: target, ...limits })
    const port = await answered
    const movedOf = (): number => this.moved.get(port) ?? 0
    const turnsOf = (): number => this.turns
    return {
      port,
      get moved() {
        return movedOf()
      },
      get turns() {
        return turnsOf()
      },
      stop: (side) => this.tell({ stop: port, side }),
    }
  }

  close(): void {
    this.child.kill('SIGKILL')
  }

  private hear(told: Told): void {
    if ('port' in told) {
      // It answers in order.
      this.waiting.shift()?.(told.port)
      return
    }
    this.turns++
    for (const [port, bytes] of Object.entries(told.moved)) {
      this.moved.set(Number(port), (this.moved.get(Number(port)) ?? 0) + bytes)
    }
  }

  private tell(command: object): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`)
  }
}
