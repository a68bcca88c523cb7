/** What is in use, measured with the collector run first, so that what other tests left behind is not counted. */
import v8 from 'node:v8'
import vm from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

/** Collects all garbage: twice, for what has a finalizer goes with the second. */
export function collectGarbage(): void {
  collect()
  collect()
}

/** Bytes of all ArrayBuffers that are in use, garbage not counted. */
export function arrayBufferBytes(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** Bytes in use, on the heap of JavaScript and outside of it, garbage not counted. */
export function bytesInUse(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
