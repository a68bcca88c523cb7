/** The relay of small-buffers.py, in a process of its own: the buffers of the system on both sides of it are small. */
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'

/** One connection through the relay. */
export interface NarrowLine {
  /** Where it takes the connection. */
  readonly port: number
  /** Reads no more of the side that it accepted, or of the side that it made. */
  stop(side: 'accepted' | 'made'): void
}

/** How many bytes a relay reads of its sides at most. */
export interface NarrowLimits {
  readonly accepted?: number
  readonly made?: number
}

export class SmallBuffers {
  private readonly child: ChildProcess
  private readonly waiting: ((port: number) => void)[] = []

  constructor() {
    this.child = spawn('python3', ['-S', '-E', path.join(__dirname, 'small-buffers.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child.stdin?.on('error', () => undefined)
    let rest = ''
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      // It answers in order.
      for (const line of lines) this.waiting.shift()?.((JSON.parse(line) as { port: number }).port)
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
    return { port, stop: (side) => this.tell({ stop: port, side }) }
  }

  close(): void {
    this.child.kill('SIGKILL')
  }

  private tell(command: object): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`)
  }
}
