/**
 * Short collections in time. From V8 13 on (Node 24) the bytes of buffers count against the limit of the old heap, some 20 MB while
 * that heap is small, and only a collection finds which of them nobody holds any more. A server of binary messages
 * makes few other objects: its young heap fills so slowly that a full collection, of some 4 ms, comes before the short one that
 * would have freed the buffers, about 20 times a second; and the memory that it frees goes back to the system (docs/adr/0018).
 */
import { getHeapSpaceStatistics } from 'node:v8'
import { isNativeOff } from './native-switch.js'

/** The first V8 that counts buffers against the limit of the old heap. */
const FIRST_V8 = 13

const MIB = 1024 * 1024
/** One short collection is aimed at for so many bytes of buffers, where the young heap is no larger. */
export const EACH_BYTES = 12 * MIB
/**
 * A larger young heap, which only a flag of Node gives, is left as it is: with 64 MiB full collections came before the short ones all the
 * same, and the objects only cost; with 16 and 32 MiB they paid (Node 26, 2026-11).
 */
export const MAX_YOUNG_BYTES = 32 * MIB
/** After so many bytes the size of the young heap is read again, which takes 17 us: it grows with what survives. */
export const LOOK_BYTES = 16 * MIB
/** What fills the young heap: eight of these objects fit into one of its pages. */
export const OBJECT_BYTES = 31 * 1024
const POINTER_BYTES = 8

/**
 * @param versions as `process.versions`
 * @returns whether buffers that nobody holds count against the limit of the heap
 */
export function countsBuffers(versions: Readonly<Record<string, string | undefined>>): boolean {
  // Bun names a V8 as well, and has none; it was not tried with Deno's.
  const isNode = versions['bun'] === undefined && versions['deno'] === undefined
  return isNode && Number.parseInt(versions['v8'] ?? '', 10) >= FIRST_V8
}

/** What the young heap holds before a short collection, in bytes; 0: there is none. */
export function youngBytes(): number {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  return young === undefined ? 0 : young.space_used_size + young.space_available_size
}

const makeObject = (): unknown => new Array(OBJECT_BYTES / POINTER_BYTES)

/** Fills the young heap beside buffers, by objects that are dropped at once. */
export class CollectionPace {
  /** The bytes of buffers since the last object was made. */
  private bytes = 0
  /**
   * One object is made for so many bytes of buffers: at least its own size, so that the objects cost no more than the buffers.
   * Where the young heap is larger than {@link EACH_BYTES}, a short collection comes after as many bytes of buffers as it holds.
   */
  private step = 0
  private unseenBytes = LOOK_BYTES
  private readonly youngBytes: () => number
  private readonly make: () => unknown
  /** The newest object, for one that nothing refers to V8 would not make. */
  protected newest: unknown = null

  constructor(young = youngBytes, make = makeObject) {
    this.youngBytes = young
    this.make = make
  }

  /** @param bytes of a buffer that is made, and that nobody may hold soon */
  count(bytes: number): void {
    // One short collection is enough, however large a buffer is.
    const counted = Math.min(bytes, EACH_BYTES)
    this.bytes += counted
    this.unseenBytes += counted
    if (this.bytes < this.step) return
    if (this.unseenBytes >= LOOK_BYTES) this.look()
    for (; this.bytes >= this.step; this.bytes -= this.step) this.newest = this.make()
    this.newest = null
  }

  private look(): void {
    this.unseenBytes = 0
    const young = this.youngBytes()
    const fits = young >= OBJECT_BYTES && young <= MAX_YOUNG_BYTES
    // Else next to none, so that the size is looked at again.
    this.step = fits ? Math.max(OBJECT_BYTES, Math.ceil((EACH_BYTES / young) * OBJECT_BYTES)) : LOOK_BYTES
  }
}

const pace = new CollectionPace()

/**
 * Lets short collections come often enough to free buffers, where V8 needs it. On Node 20 and 22 it would only cost.
 * @param bytes of a buffer that is made now, and that nobody may hold soon: a message, a slab of output
 */
export const paceCollections: (bytes: number) => void =
  !isNativeOff && countsBuffers(process.versions)
    ? (bytes) => {
        pace.count(bytes)
      }
    : () => undefined
