/** The bounds of memory, computed from the limits. docs/robustness.md has the formulas. */

const KIB = 1024
const MIB = 1024 * KIB

/** Of docs/backpressure.md, "The bound". */
const ON_ITS_WAY_BYTES = 132 * KIB
const READ_BYTES = 260 * KIB
const PONG_BYTES = 131
/** What a connection takes before its head is whole, beside the head: the objects of its socket and its place in the timers. */
const UNFINISHED_BYTES = 16 * KIB

/**
 * Garbage that V8 has not collected yet: its young generation (three times 16 MiB), and 64 MiB of memory outside of the heap, at
 * which it collects; and 16 MiB for pages that the allocator keeps.
 */
export const GARBAGE_BYTES = (48 + 64 + 16) * MIB

/** What one connection may hold. @param limits as resolved, with every limit @param largest the largest message that is sent */
export function connectionBound(limits, largest) {
  const output =
    limits.maxBufferedOutputBytes + 2 * largest + ON_ITS_WAY_BYTES + (limits.maxPendingPongs + 1) * PONG_BYTES
  return output + limits.maxQueuedBytes + 2 * limits.maxMessageBytes + READ_BYTES
}

/**
 * What the server may take beside what it took in the quiet: for the attackers' connections, and for handshakes that are not done.
 * @param accepted how many connections the attackers may have at once @param unfinished how many handshakes of theirs
 */
export const floodBound = ({ limits, largest, accepted, unfinished }) =>
  accepted * connectionBound(limits, largest) +
  unfinished * (limits.maxHeaderBytes + UNFINISHED_BYTES) +
  GARBAGE_BYTES

/**
 * What may be left after connections that have ended, objects on the heap and memory outside of it after collections: less than half a byte
 * for each of 700,000, and for each of the few thousands of the rarest way less than its object.
 */
export const LEFT_BYTES = 256 * KIB
/** What V8 may keep more of programs: it optimizes them again and again, in pieces of some KiB. */
export const LEFT_COMPILED_BYTES = 3 * MIB
/** What may be left resident: pages of the allocator, and what V8 keeps compiled. */
export const LEFT_RESIDENT_BYTES = 48 * MIB
