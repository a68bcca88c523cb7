/**
 * Memory of large messages that is freed and soon needed again. glibc gives each block of 128 KiB or more pages of its own, and
 * gives freed pages back to the system as soon as 128 KiB lie free at the end of its heap: so each large message is written
 * into pages that the system must first map and clear, which took 0.6 ms for 1 MiB, where the copy into pages that are there
 * took 0.03 (Node 20, a virtual machine, 2026-11). Both bounds grow to the size of a larger block that is freed, the second
 * one to twice of it (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD).
 */
import { isNativeOn } from './native-switch.js'

/**
 * As with a process that has received one message of this size: up to 48 MiB of freed memory stay with it. V8 collects after
 * 32 MiB of messages on Node 20 and 22, and frees them at once: with a lower bound most of it went back to the system all the same.
 */
const BLOCK_BYTES = 24 * 1024 * 1024

let isDone = !isNativeOn

/**
 * Raises both bounds once for the process, by a block that nobody writes to, and that the next collection frees: it takes no
 * memory. Where another allocator serves it changes nothing.
 */
export function keepFreedMemory(): void {
  if (isDone) return
  isDone = true
  try {
    Buffer.allocUnsafeSlow(BLOCK_BYTES)
  } catch {
    // So much address space is not to be had: it stays as it is.
  }
}
