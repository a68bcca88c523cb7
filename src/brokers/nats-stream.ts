/** The calls of JetStream that a history makes, as requests over a connection: the same for every client of NATS. */
import { toError } from '../errors.js'
import type { NatsLine, NatsReply } from './nats-line.js'

/** A stream. */
export interface StreamConfig {
  readonly name: string
  readonly description: string
  readonly subjects: readonly string[]
  readonly max_msgs: number
  /** In nanoseconds; 0: no limit. */
  readonly max_age: number
  readonly duplicate_window: number
  readonly storage: 'file' | 'memory'
  readonly num_replicas: number
  readonly retention: 'limits'
  readonly discard: 'old'
  readonly allow_direct: true
}

/** What the server says of a stream. */
export interface StreamInfo {
  readonly config: Partial<StreamConfig>
  readonly state: {
    readonly first_seq: number
    readonly last_seq: number
    readonly messages: number
    readonly bytes: number
  }
}

/** A message of a stream. */
export interface StoredMessage {
  readonly subject: string
  readonly timeMs: number
  readonly data: Uint8Array
}

/** What JetStream answers instead. */
export class JetStreamError extends Error {
  readonly code: number

  constructor(code: number, description: string) {
    super(`JetStream refused it: ${description}`)
    this.code = code
  }

  /** Whether it passes: nothing was done, and the servers of a cluster elect a leader. */
  get isPassing(): boolean {
    return PASSING.has(this.code)
  }
}

/** The cluster has no leader for what was asked; the stream is not at the servers that are there. */
const PASSING: ReadonlySet<number> = new Set([10_008, 10_118])
const STREAM_NOT_FOUND = 10_059
const STREAM_EXISTS = 10_058
const MESSAGE_NOT_FOUND = 10_037

const NO_JETSTREAM =
  'JetStream does not answer at this server: is it enabled there (nats-server -js), and for this account?'

const NO_PAYLOAD = new Uint8Array(0)

/** Whether nothing listens to a subject, so that what was sent is nowhere. As version 3 and version 2 of the client say it. */
export function isUnheard(error: unknown): boolean {
  const { code, name, cause } = error as { code?: unknown; name?: unknown; cause?: { name?: unknown } }
  return String(code) === '503' || name === 'NoResponders' || cause?.name === 'NoResponders'
}

/** An object of JSON. @throws JetStreamError if it is an error; Error if JetStream did not send it */
function parse(data: Uint8Array): Readonly<Record<string, unknown>> {
  let answer: unknown
  try {
    answer = JSON.parse(Buffer.from(data).toString())
  } catch {
    answer = null
  }
  if (typeof answer !== 'object' || answer === null) throw new Error('an answer is not one of JetStream')
  const { error } = answer as { error?: { err_code?: unknown; code?: unknown; description?: unknown } }
  if (typeof error === 'object') {
    throw new JetStreamError(Number(error.err_code ?? error.code), String(error.description))
  }
  return answer as Readonly<Record<string, unknown>>
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function infoOf(data: Uint8Array): StreamInfo {
  const { config, state } = parse(data) as { config?: StreamInfo['config']; state?: StreamInfo['state'] }
  if (typeof config !== 'object' || typeof state !== 'object') throw new Error('an answer says no stream')
  const { first_seq: first, last_seq: last, messages, bytes } = state
  if (![first, last, messages, bytes].every(isCount)) throw new Error('an answer says no stream')
  return { config, state }
}

/** A time of JetStream, in milliseconds. Its nanoseconds are dropped. */
const timeOf = (text: string): number => Date.parse(text.replace(/(\.\d{3})\d*/, '$1'))

const isOf =
  (code: number) =>
  (error: unknown): null => {
    if (error instanceof JetStreamError && error.code === code) return null
    throw toError(error)
  }

/** The streams at the other end of a connection. Each call ends within its time, in milliseconds. */
export class NatsStreams {
  private readonly line: NatsLine

  constructor(line: NatsLine) {
    this.line = line
  }

  /** @returns null: there is no such stream */
  info(name: string, timeoutMs: number): Promise<StreamInfo | null> {
    return this.call(`STREAM.INFO.${name}`, null, timeoutMs).then(infoOf).catch(isOf(STREAM_NOT_FOUND))
  }

  /** Makes a stream, if none has this name. Which one has it is for {@link info} to say. */
  async create(config: StreamConfig, timeoutMs: number): Promise<void> {
    await this.call(`STREAM.CREATE.${config.name}`, config, timeoutMs).then(parse).catch(isOf(STREAM_EXISTS))
  }

  async update(config: Partial<StreamConfig>, timeoutMs: number): Promise<void> {
    parse(await this.call(`STREAM.UPDATE.${String(config.name)}`, config, timeoutMs))
  }

  async delete(name: string, timeoutMs: number): Promise<void> {
    await this.call(`STREAM.DELETE.${name}`, null, timeoutMs).then(parse).catch(isOf(STREAM_NOT_FOUND))
  }

  /** Sends a message to a stream. @returns its sequence */
  async publish(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<number> {
    const { seq } = parse((await this.request(subject, bytes, timeoutMs)).data)
    if (!isCount(seq) || seq === 0) throw new Error('an answer says no sequence')
    return seq
  }

  /** @returns null: there is no such message */
  async message(name: string, sequence: number, timeoutMs: number): Promise<StoredMessage | null> {
    const { data, headers } = await this.request(
      `$JS.API.DIRECT.GET.${name}`,
      Buffer.from(JSON.stringify({ seq: sequence })),
      timeoutMs,
    )
    const subject = headers?.get('Nats-Subject') ?? ''
    if (headers !== undefined && subject !== '' && headers.get('Nats-Sequence') === String(sequence)) {
      return { subject, data, timeMs: timeOf(headers.get('Nats-Time-Stamp')) }
    }
    // A replica may be late. The leader knows, and says it more slowly.
    const answer = await this.call(`STREAM.MSG.GET.${name}`, { seq: sequence }, timeoutMs)
      .then(parse)
      .catch(isOf(MESSAGE_NOT_FOUND))
    const { message } = (answer ?? {}) as { message?: Partial<Record<'subject' | 'data' | 'time', string>> }
    if (message?.subject === undefined) return null
    return {
      subject: message.subject,
      data: Buffer.from(message.data ?? '', 'base64'),
      timeMs: timeOf(message.time ?? ''),
    }
  }

  private async call(name: string, body: object | null, timeoutMs: number): Promise<Uint8Array> {
    const payload = body === null ? NO_PAYLOAD : Buffer.from(JSON.stringify(body))
    try {
      return (await this.request(`$JS.API.${name}`, payload, timeoutMs)).data
    } catch (error) {
      // In a cluster this passes, when it has elected a leader.
      throw isUnheard(error) ? new Error(NO_JETSTREAM, { cause: error }) : error
    }
  }

  private request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<NatsReply> {
    return this.line.request(subject, payload, timeoutMs)
  }
}
