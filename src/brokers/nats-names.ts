import type { StoredClaim } from '../backplane/backplane.js'
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

/** Names as keys of a bucket that expire: each change names the change before it, and is refused if there was another. */
export class NatsNames implements BrokerNames {
  private readonly openBucket: () => NatsBucket | Promise<NatsBucket>
  private opening: Promise<NatsBucket> | null = null
  private bucketTtlMs = 0

  /** @param openBucket called at the first claim, and again after it failed */
  constructor(openBucket: () => NatsBucket | Promise<NatsBucket>) {
    this.openBucket = openBucket
  }

  async claim(
    key: string,
    { node, time }: StoredClaim,
    mayReplace: boolean,
    ttlMs: number,
  ): Promise<number | null> {
    const bucket = await this.bucket(ttlMs)
    let claimed = time
    const decide = (held: Held | null): Buffer | null => {
      if (held !== null) {
        if (!mayReplace) return null
        const before = parseInt(held.value.toString(), 10)
        if (before >= claimed) claimed = before + 1
      }
      return valueOf({ node, time: claimed })
    }
    return (await change(bucket, key, decide)) ? claimed : null
  }

  async release(key: string, claim: StoredClaim): Promise<void> {
    const bucket = await this.bucket(0)
    const ours = valueOf(claim)
    await attempt(key, async () => {
      const held = await read(bucket, key)
      if (held?.value.equals(ours) === true) await bucket.delete(key, { previousSeq: held.revision })
    })
  }

  /** A claim that is gone, as after a loss of data, is made again. One of another node stands. */
  async renew(key: string, claim: StoredClaim, ttlMs: number): Promise<void> {
    const ours = valueOf(claim)
    await change(await this.bucket(ttlMs), key, (held) =>
      held === null || held.value.equals(ours) ? ours : null,
    )
  }

  private async bucket(ttlMs: number): Promise<NatsBucket> {
    this.opening ??= this.open()
    let bucket
    try {
      bucket = await this.opening
    } catch (error) {
      this.opening = null
      throw error
    }
    if (this.bucketTtlMs < ttlMs) {
      throw new RangeError(
        `the ttl of the bucket of names is ${String(this.bucketTtlMs)} ms, and must be presenceTtlMs, ${String(ttlMs)} ms, or longer`,
      )
    }
    return bucket
  }

  private async open(): Promise<NatsBucket> {
    const bucket = await this.openBucket()
    const { ttl } = await bucket.status()
    if (!(ttl > 0)) {
      throw new TypeError(
        'the bucket of names has no ttl: the names of a node that is gone would stay for ever',
      )
    }
    this.bucketTtlMs = ttl
    return bucket
  }
}

async function read(bucket: NatsBucket, key: string): Promise<Held | null> {
  const entry = await bucket.get(key)
  if (entry?.operation !== 'PUT') return null
  return { value: Buffer.from(entry.value), revision: entry.revision }
}

/**
 * Writes what is decided by what is held, until no other change comes in between.
 * @param decide the value to write; null: none
 * @returns whether it was written
 */
const change = (
  bucket: NatsBucket,
  key: string,
  decide: (held: Held | null) => Buffer | null,
): Promise<boolean> =>
  attempt(key, async () => {
    const held = await read(bucket, key)
    const value = decide(held)
    if (value === null) return false
    await (held === null ? bucket.create(key, value) : bucket.update(key, value, held.revision))
    return true
  })

/** Calls until no other change came in between. */
async function attempt<T>(key: string, call: () => Promise<T>): Promise<T> {
  for (let left = MAX_ATTEMPTS; ; left--) {
    try {
      return await call()
    } catch (error) {
      if (!isConflict(error)) throw error
      if (left <= 1)
        throw new Error(`the key ${key} of NATS is changed by others all the time`, { cause: error })
    }
  }
}
