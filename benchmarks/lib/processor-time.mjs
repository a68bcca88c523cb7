/** The processor time of single processes, from `/proc`. */
import { readdirSync, readFileSync } from 'node:fs'
import { readStat, TICKS } from './quiet.mjs'

/**
 * Processor time of a process so far, all its threads, in seconds: to the nanosecond where the kernel says it, for a process may
 * need less than a tick of `stat` for all of a run.
 */
export function cpuOf(pid) {
  const folder = `/proc/${pid}/task`
  try {
    const threads = readdirSync(folder).map((tid) => readFileSync(`${folder}/${tid}/schedstat`, 'latin1'))
    return threads.reduce((sum, text) => sum + Number(text.split(' ', 1)[0]), 0) / 1e9
  } catch {
    return readStat(readFileSync(`/proc/${pid}/stat`, 'latin1')).ticks / TICKS
  }
}
