/**
 * Short collections in time. From V8 13 on (Node 24) the bytes of buffers count against the limit of the old heap, some 20 MB while
 * that heap is small, and only a collection finds which of them nobody holds any more. A server of binary messages
 * makes few other objects: its young heap fills so slowly that a full collection, of some 4 ms, comes before the short one that
 * would have freed the buffers, 20 times a second and more; and what it frees at once goes back to the system.
 */
import { getHeapSpaceStatistics } from 'node:v8'
import { isNativeOn } from './native-switch.js'

/** The first V8 that counts so. */
const FIRST_V8 = 13

const MIB = 1024 * 1024
/**
 * A short collection shall come after so many bytes of buffers, whatever the young heap holds: with 16 MiB full ones still came
 * of messages of 4 KiB, with 8 MiB it took more time than with 12 (Node 26, 2026-11).
 */
const EACH_BYTES = 12 * MIB
/** After so many bytes the size of the young heap is looked at again, which takes 17 us: it grows with what survives. */
const LOOK_BYTES = 16 * MIB
/** What fills it: objects of this size, which are dropped at once. */
const OBJECT_BYTES = 32 * 1024
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

/** What the young heap holds before a short collection, in bytes. */
function youngBytes(): number {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  return young === undefined ? MIB : young.space_used_size + young.space_available_size
}

/** Fills the young heap beside buffers, so that a short collection comes after each 12 MiB of them. */
export class CollectionPace {
  /** The bytes of buffers since the last object was made. */
  private bytes = 0
  /** For so many bytes of buffers one object is made; at least its own size, so that it costs at most as much as they do. */
  private step = 0
  private unseenBytes = LOOK_BYTES
  /** The last object: one that nothing refers to V8 would not make. */
  protected last: unknown = null

  /** @param bytes of a buffer that is made, for a receiver that may hold it or not */
  count(bytes: number): void {
    this.bytes += bytes
    if (this.bytes < this.step) return
    this.unseenBytes += this.bytes
    if (this.unseenBytes >= LOOK_BYTES) {
      this.unseenBytes = 0
      this.step = Math.max(OBJECT_BYTES, (EACH_BYTES / youngBytes()) * OBJECT_BYTES)
    }
    for (; this.bytes >= this.step; this.bytes -= this.step) {
      this.last = new Array(OBJECT_BYTES / POINTER_BYTES)
    }
    this.last = null
  }
}

const pace = new CollectionPace()

/**
 * Lets short collections come often enough to free the buffers of messages, where V8 needs it. An echo of 64 KiB or 1 MiB takes
 * half of the processor time with it on Node 24 and 26; on Node 20 and 22 it would only cost.
 * @param bytes of a buffer that is made now, for the application
 */
export const paceCollections: (bytes: number) => void =
  isNativeOn && countsBuffers(process.versions)
    ? (bytes) => {
        pace.count(bytes)
      }
    : () => undefined
