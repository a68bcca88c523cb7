import {
  decodeClosePayload,
  FrameParser,
  frameHeaderBytes,
  MAX_CONTROL_PAYLOAD_BYTES,
  Opcode,
  ProtocolError,
  type ClosePayload,
  type FramePart,
} from 'hawser/frame'
import { HeadScanner, parseExtensionHeader, type ResponseHead } from 'hawser/handshake'
import type { ByteTap } from './tapped-duplex.js'

export type Sender = 'client' | 'server'

/** A frame that passed, as the page shows it. */
export interface FrameReport {
  readonly kind: 'frame'
  readonly from: Sender
  /** When its header arrived, in milliseconds since 1970. */
  readonly at: number
  readonly opcode: keyof typeof Opcode
  readonly fin: boolean
  readonly rsv1: boolean
  /** The four octets in hexadecimal, or null for a frame that was not masked. */
  readonly maskingKey: string | null
  readonly headerLength: number
  readonly payloadLength: number
  /** The first {@link SHOWN_BYTES} of the payload, unmasked, still compressed, in hexadecimal. */
  readonly bytes: string
  /** The code and reason of a Close frame. */
  readonly close?: ClosePayload
}

/** Bytes that are not a frame: no later frame can be read. */
export interface ViolationReport {
  readonly kind: 'violation'
  readonly from: Sender
  readonly at: number
  readonly code: string
  readonly message: string
}

export type WireReport = FrameReport | ViolationReport

/** How many bytes of a payload a report shows. */
export const SHOWN_BYTES = 64

const OPCODE_NAMES: ReadonlyMap<Opcode, keyof typeof Opcode> = new Map(
  (Object.keys(Opcode) as (keyof typeof Opcode)[]).map((name) => [Opcode[name], name]),
)

/**
 * Reads along on a connection, from the server's response to the upgrade on, and reports each frame of either side once it has
 * passed. It parses copies, because the engine unmasks its input in place.
 */
export class FrameTap implements ByteTap {
  private readonly report: (report: WireReport) => void
  private readonly side: Sender
  private scanner = new HeadScanner('response')
  private client: FrameReader | null = null
  private server: FrameReader | null = null
  private isOver = false

  /** @param side whose stream is tapped. The request of a client is no frame: it is not read */
  constructor(report: (report: WireReport) => void, side: Sender = 'server') {
    this.report = report
    this.side = side
  }

  /** Stops the reports: bytes pass unread. */
  stop(): void {
    this.isOver = true
  }

  received(bytes: Uint8Array): void {
    this.passed(this.side === 'server' ? 'client' : 'server', bytes)
  }

  sent(bytes: Uint8Array): void {
    this.passed(this.side, bytes)
  }

  private passed(from: Sender, bytes: Uint8Array): void {
    if (this.isOver) return
    if (from === 'client') this.client?.read(bytes)
    else if (this.server !== null) this.server.read(bytes)
    else this.readHead(bytes)
  }

  /** @param bytes of the server, before its first frame */
  private readHead(bytes: Uint8Array): void {
    if (this.scanner.push(bytes) === 'more') return
    const { head, rest } = this.scanner
    if (head !== null && isInterimResponse(head)) {
      this.scanner = new HeadScanner('response')
      this.readHead(rest)
      return
    }
    if (head?.status !== 101) {
      // The upgrade was rejected.
      this.isOver = true
      return
    }
    const allowRsv1 = usesDeflate(head)
    this.client = new FrameReader('client', allowRsv1, this.report)
    this.server = new FrameReader('server', allowRsv1, this.report)
    this.server.read(rest)
  }
}

/** Another response follows it on the same stream (RFC 9110 section 15.2). */
const isInterimResponse = ({ status }: ResponseHead): boolean =>
  status >= 100 && status < 200 && status !== 101

/** Whether RSV1 has a meaning on this connection (RFC 7692 section 6). */
function usesDeflate(head: ResponseHead): boolean {
  const extensions = parseExtensionHeader(head.headers.get('sec-websocket-extensions') ?? '') ?? []
  return extensions.some(({ name }) => name === 'permessage-deflate')
}

/** One direction: frames out of the bytes of one side. */
class FrameReader {
  private readonly from: Sender
  private readonly parser: FrameParser
  private readonly report: (report: WireReport) => void
  /** The start of the payload of the frame under way: all of it, for control frames. */
  private readonly start = Buffer.alloc(Math.max(SHOWN_BYTES, MAX_CONTROL_PAYLOAD_BYTES))
  private startLength = 0
  private startedAt = 0
  private hasFailed = false

  constructor(from: Sender, allowRsv1: boolean, report: (report: WireReport) => void) {
    this.from = from
    this.report = report
    this.parser = new FrameParser({ role: from === 'client' ? 'server' : 'client', allowRsv1 })
  }

  read(bytes: Uint8Array): void {
    if (this.hasFailed) return
    this.parser.push(Buffer.from(bytes))
    for (let event = this.parser.next(); event !== null; event = this.parser.next()) {
      if (event.type === 'violation') {
        this.hasFailed = true
        const { code, message } = event.error
        this.report({ kind: 'violation', from: this.from, at: Date.now(), code, message })
        return
      }
      this.collect(event)
      if (event.isLast) this.report(this.describe(event))
    }
  }

  private collect(part: FramePart): void {
    if (part.isFirst) {
      this.startLength = 0
      this.startedAt = Date.now()
    }
    if (this.startLength === this.start.length) return
    this.startLength += part.payload.copy(this.start, this.startLength)
  }

  private describe(part: FramePart): FrameReport {
    const { fin, rsv1, opcode, payloadLength } = part
    const masked = this.from === 'client'
    const bytes = this.start.subarray(0, this.startLength)
    const report: FrameReport = {
      kind: 'frame',
      from: this.from,
      at: this.startedAt,
      opcode: OPCODE_NAMES.get(opcode) as keyof typeof Opcode,
      fin,
      rsv1,
      maskingKey: masked ? maskingKeyHex(part.maskingKey) : null,
      headerLength: frameHeaderBytes(payloadLength, masked),
      payloadLength,
      bytes: bytes.toString('hex', 0, Math.min(bytes.length, SHOWN_BYTES)),
    }
    if (opcode !== Opcode.CLOSE) return report
    const close = decodeClosePayload(bytes)
    return close instanceof ProtocolError ? report : { ...report, close }
  }
}

/** In the order of the wire: the parser keeps the first octet lowest. */
function maskingKeyHex(key: number): string {
  const octets = Buffer.alloc(4)
  octets.writeInt32LE(key | 0)
  return octets.toString('hex')
}
