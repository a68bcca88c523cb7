/**
 * The peer of slow-peer.py, in a process of its own: it reads on command, and its small buffers make the other
 * end's small. A server then notices at about 72 KB what it would notice at megabytes with a peer of Node.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { Journal } from './journal.js'

/** A frame to send: of text, of octets, or of so many bytes 'x'. */
export interface PeerFrame {
  readonly op: number
  readonly hex?: string
  readonly text?: string
  readonly size?: number
  readonly fin?: boolean
}

/** See slow-peer.py. */
export type PeerCommand =
  | { readonly do: 'read'; readonly bytes: number; readonly everyMs?: number }
  | { readonly do: 'stall' | 'fin' | 'reset' | 'count' }
  | {
      readonly do: 'send'
      readonly frames: readonly PeerFrame[]
      readonly count?: number
      readonly everyMs?: number
    }
  | { readonly do: 'raw'; readonly hex: string; readonly bytes?: number; readonly everyMs?: number }
  | { readonly do: 'answer'; readonly close?: boolean; readonly ping?: boolean }

/** A frame that the peer read. */
export interface SeenFrame {
  readonly op: number
  readonly fin: boolean
  readonly rsv1: boolean
  readonly length: number
  /** Of short ones, and the reason of a Close frame. */
  readonly text?: string
  /** Of long ones that were not masked. */
  readonly sha1?: string
  /** Of a Close frame. */
  readonly code?: number
}

/** What a peer did until it was asked. */
export interface PeerCounts {
  readonly read: number
  readonly written: number
  /** For how long the machine kept it waiting after one of its pauses, at most. */
  readonly lateMs: number
}

/** How a connection ended, as the peer saw it. */
export interface PeerEnd {
  readonly how: 'fin' | 'reset'
  readonly read: number
  /** A frame was cut. */
  readonly inFrame: boolean
}

export interface PeerOptions {
  readonly tls?: boolean
  readonly deflate?: boolean
  /**
   * With a small window, and memory for many packets behind it. Without this a peer that a busy machine keeps from reading
   * loses packets, and TCP sends them again later and later: seconds pass without a byte.
   */
  readonly losesNothing?: boolean
  /** With the buffers that the system gives to everybody: the other end's are megabytes. */
  readonly largeBuffers?: boolean
}

/** What {@link SlowPeer.ask} got. */
export interface PeerResponse {
  readonly startLine: string
  readonly bodyLength: number
}

const running = new Set<ChildProcess>()

/** The peers of a test that says so: see steady-peer.ts. */
export const ownPeers = new AsyncLocalStorage<SlowPeer[]>()

/** Ends all peers; for afterEach. */
export function stopPeers(): void {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
}

const certificate = (name: string): string => path.join(__dirname, 'certificates', name)

export class SlowPeer {
  /** The frames that it has read. */
  readonly frames: SeenFrame[] = []
  /** Its reports, by the names of the events. */
  readonly journal = new Journal()
  end: PeerEnd | null = null
  /** Of a peer that is a server. */
  port = 0
  private readonly child: ChildProcess
  private response: PeerResponse | null = null
  private counts: PeerCounts[] = []
  private errors = ''

  private constructor(
    args: readonly string[],
    { deflate = false, largeBuffers = false, losesNothing = false }: PeerOptions,
  ) {
    const rcvbuf = losesNothing ? '65536' : '4096'
    const buffers = largeBuffers ? [] : ['--rcvbuf', rcvbuf, '--mss', '1400', '--clamp', '2800']
    const flags = [...buffers, ...(deflate ? ['--deflate'] : [])]
    this.child = spawn('python3', ['-S', '-E', path.join(__dirname, 'slow-peer.py'), ...args, ...flags])
    running.add(this.child)
    ownPeers.getStore()?.push(this)
    this.child.once('close', () => {
      running.delete(this.child)
      this.journal.add('exit')
    })
    let rest = ''
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.hear(JSON.parse(line) as { event: string })
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    this.child.stdin?.on('error', () => undefined)
  }

  /** A client of a server under test. */
  static async connect(port: number, options: PeerOptions = {}): Promise<SlowPeer> {
    const tls = options.tls === true ? ['--ca', certificate('ca.pem')] : []
    const peer = new SlowPeer(['client', String(port), ...tls], options)
    await peer.event('open')
    return peer
  }

  /** A server for a client under test: it takes one connection. */
  static async listen(options: PeerOptions = {}): Promise<SlowPeer> {
    const tls =
      options.tls === true
        ? ['--cert', certificate('server.pem'), '--key', certificate('server-key.pem')]
        : []
    const peer = new SlowPeer(['server', ...tls], options)
    await peer.event('listening')
    return peer
  }

  /** Asks a server for an upgrade that it refuses, and reads the response slowly. */
  static async ask(port: number, options: PeerOptions = {}): Promise<PeerResponse> {
    const tls = options.tls === true ? ['--ca', certificate('ca.pem')] : []
    const peer = new SlowPeer(['ask', String(port), ...tls], options)
    await peer.event('response')
    return peer.response!
  }

  do(command: PeerCommand): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  /** Sends text messages. */
  sendTexts(...texts: readonly string[]): void {
    this.do({ do: 'send', frames: texts.map((text) => ({ op: 1, text })) })
  }

  /** Sends a Close frame with a code, or with none. */
  sendClose(code?: number): void {
    this.do({
      do: 'send',
      frames: [{ op: 8, hex: code === undefined ? '' : code.toString(16).padStart(4, '0') }],
    })
  }

  /** Reads all there is, as fast as it can. */
  readAll(): void {
    this.do({ do: 'read', bytes: 65_536 })
  }

  /** Waits until it reported such an event, so often. */
  async event(name: string, count = 1): Promise<void> {
    while (this.journal.lines.filter((line) => line === name).length < count) {
      if (this.journal.lines.includes('exit'))
        throw new Error(`the peer ended before ${name}: ${this.errors}`)
      await this.journal.until(this.journal.lines.length + 1)
    }
  }

  /** Waits for a frame. */
  async frame(isWanted: (frame: SeenFrame) => boolean): Promise<SeenFrame> {
    for (;;) {
      const found = this.frames.find(isWanted)
      if (found !== undefined) return found
      if (this.end !== null) throw new Error(`the connection ended before: ${JSON.stringify(this.end)}`)
      await this.journal.until(this.journal.lines.length + 1)
    }
  }

  /** Waits until it read the end of the connection: it has to read for that. */
  async ended(): Promise<PeerEnd> {
    await this.event('end')
    return this.end!
  }

  /** How many bytes it read and wrote until now, and how late. */
  async count(): Promise<PeerCounts> {
    const { length } = this.counts
    this.do({ do: 'count' })
    await this.event('count', length + 1)
    return this.counts[length]!
  }

  private hear(said: { event: string }): void {
    if (said.event === 'frame') this.frames.push(said as unknown as SeenFrame)
    if (said.event === 'end') this.end = said as unknown as PeerEnd
    if (said.event === 'count') this.counts.push(said as unknown as PeerCounts)
    if (said.event === 'response') this.response = said as unknown as PeerResponse
    if (said.event === 'listening') this.port = (said as unknown as { port: number }).port
    this.journal.add(said.event)
  }
}
