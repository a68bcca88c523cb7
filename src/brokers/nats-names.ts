import type { StoredClaim } from '../backplane/backplane.js'
import { isClaimTime } from '../backplane/envelope.js'
import { showKind } from '../check.js'
import type { BrokerNames } from './broker.js'

/** What is used of a bucket of JetStream's key-value store, as `@nats-io/kv` (3 or later) and `nats` (2) open it. */
export interface NatsBucket {
  /** Reads a key; null: there is none. */
  get(key: string): Promise<{
    /** `PUT`, or else the key was deleted. */
    readonly operation: string
    /** The number of this change. */
    readonly revision: number
    /** The bytes of the value. */
    readonly value: Uint8Array
  } | null>
  /** Writes a key that is not there, or rejects. */
  create(key: string, value: Uint8Array): Promise<number>
  /** Writes a key whose last change is `revision`, or rejects. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>
  /** Deletes a key whose last change is `previousSeq`, or rejects. */
  delete(
    key: string,
    options: {
      /** The number of that change. */
      readonly previousSeq: number
    },
  ): Promise<void>
  /** Reads the settings. */
  status(): Promise<{
    /** How many milliseconds a key stays that is not written again; 0: for ever. */
    readonly ttl: number
  }>
}

const METHODS = ['get', 'create', 'update', 'delete', 'status'] as const

const isBucket = (value: unknown): value is NatsBucket =>
  typeof value === 'object' &&
  value !== null &&
  METHODS.every((name) => typeof (value as Partial<Record<string, unknown>>)[name] === 'function')

/** Each time that a change is tried in vain, another node has made one; or a replica is late. */
const MAX_ATTEMPTS = 100

/** The last change of the key is another one, in the codes of JetStream. */
const WRONG_LAST_SEQUENCE: ReadonlySet<unknown> = new Set([10071, 10164])

/** Whether a change was refused because another one came before it. */
function isConflict(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  // `code` of version 3, `api_error` of version 2.
  const { code, api_error: apiError } = error as { code?: unknown; api_error?: { err_code?: unknown } }
  return WRONG_LAST_SEQUENCE.has(code) || WRONG_LAST_SEQUENCE.has(apiError?.err_code)
}

/** The value of a key is the time of the claim, a space, and the node. */
const valueOf = ({ node, time }: StoredClaim): Buffer => Buffer.from(`${String(time)} ${node}`)

/** A claim that stands. */
interface Held {
  readonly value: Buffer
  readonly revision: number
}

/** A bucket, and how long its keys stay. */
interface Opened {
  readonly bucket: NatsBucket
  readonly bucketTtlMs: number
}

/** Names as keys of a bucket that expire: each change names the change before it, and is refused if there was another. */
export class NatsNames implements BrokerNames {
  private readonly openBucket: () => NatsBucket | Promise<NatsBucket>
  private opening: Promise<Opened> | null = null

  /** @param openBucket called at the first claim, and again after a failure */
  constructor(openBucket: () => NatsBucket | Promise<NatsBucket>) {
    this.openBucket = openBucket
  }

  async claim(
    key: string,
    { node, time }: StoredClaim,
    mayReplace: boolean,
    ttlMs: number,
  ): Promise<number | null> {
    let claimed = time
    const isClaimed = await this.change(key, ttlMs, (held) => {
      if (held !== null) {
        if (!mayReplace) return null
        const before = parseInt(held.value.toString(), 10)
        // What is not a time was not written by Hawser.
        if (isClaimTime(before) && before >= claimed) claimed = before + 1
      }
      return valueOf({ node, time: claimed })
    })
    return isClaimed ? claimed : null
  }

  async release(key: string, claim: StoredClaim): Promise<void> {
    const ours = valueOf(claim)
    await this.attempt(key, 0, async (bucket) => {
      const held = await read(bucket, key)
      if (held?.value.equals(ours) === true) await bucket.delete(key, { previousSeq: held.revision })
    })
  }

  /** A claim that is gone, as after a loss of data, is made again. One of another node stands. */
  async renew(key: string, claim: StoredClaim, ttlMs: number): Promise<void> {
    const ours = valueOf(claim)
    await this.change(key, ttlMs, (held) => (held === null || held.value.equals(ours) ? ours : null))
  }

  /**
   * Writes what is decided by what is held.
   * @param decide the value to write; null: none
   * @returns whether it was written
   */
  private change(key: string, ttlMs: number, decide: (held: Held | null) => Buffer | null): Promise<boolean> {
    return this.attempt(key, ttlMs, async (bucket) => {
      const held = await read(bucket, key)
      const value = decide(held)
      if (value === null) return false
      await (held === null ? bucket.create(key, value) : bucket.update(key, value, held.revision))
      return true
    })
  }

  /** Calls until no other change came in between. */
  private async attempt<T>(key: string, ttlMs: number, call: (bucket: NatsBucket) => Promise<T>): Promise<T> {
    const opening = (this.opening ??= this.open())
    try {
      const { bucket, bucketTtlMs } = await opening
      if (bucketTtlMs < ttlMs) throw new RangeError(tooShort(bucketTtlMs, ttlMs))
      for (let left = MAX_ATTEMPTS; left > 0; left--) {
        try {
          return await call(bucket)
        } catch (error) {
          if (!isConflict(error)) throw error
        }
      }
      throw new Error(`the key ${key} of NATS is changed by others all the time`)
    } catch (error) {
      // The bucket may be gone: it is opened again, which may make it again.
      if (this.opening === opening) this.opening = null
      throw error
    }
  }

  private async open(): Promise<Opened> {
    const bucket: unknown = await this.openBucket()
    if (!isBucket(bucket)) {
      throw new TypeError(
        `names must return a bucket of JetStream's key-value store, or a promise of one, not ${showKind(bucket)}`,
      )
    }
    const { ttl } = await bucket.status()
    if (!(ttl > 0)) {
      throw new TypeError(
        'the bucket of names has no ttl: the names of a node that is gone would stay for ever',
      )
    }
    return { bucket, bucketTtlMs: ttl }
  }
}

const tooShort = (bucketTtlMs: number, ttlMs: number): string =>
  `the ttl of the bucket of names is ${String(bucketTtlMs)} ms, and must be presenceTtlMs, ${String(ttlMs)} ms, or longer`

async function read(bucket: NatsBucket, key: string): Promise<Held | null> {
  const entry = await bucket.get(key)
  if (entry?.operation !== 'PUT') return null
  return { value: Buffer.from(entry.value), revision: entry.revision }
}
