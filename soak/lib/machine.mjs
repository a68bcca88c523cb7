/** What the machine did between two moments: its cores, single processes, and the processes of others. Linux. */
import { readFileSync } from 'node:fs'
import { compare, look as lookAtAll, TICKS } from '../../benchmarks/lib/quiet.mjs'

/** Of each core, in ticks so far: `busy`, `system` (the kernel, interrupts and packets among it), `all`. */
export function readCores(text) {
  return [...text.matchAll(/^cpu\d+ (.*)$/gm)].map(([, line]) => {
    const [user, nice, system, idle, iowait, irq, softirq, steal = 0] = line.split(' ').map(Number)
    const busy = user + nice + system + irq + softirq + steal
    return { busy, system: system + irq + softirq, all: busy + idle + iowait }
  })
}

/** User and system time of one process so far, in ticks; its threads among it. */
export function readTimes(text) {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { user: Number(fields[11]), system: Number(fields[12]) }
}

/** Times of a process, and `main`: those of its main thread, both kinds together. */
const timesOf = (pid) => {
  try {
    const main = readTimes(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1'))
    return { ...readTimes(readFileSync(`/proc/${pid}/stat`, 'latin1')), main: main.user + main.system }
  } catch {
    return { user: 0, system: 0, main: 0 }
  }
}

/** @param pids of the processes of this run, by name */
export function look(pids) {
  return {
    at: performance.now(),
    all: lookAtAll(),
    cores: readCores(readFileSync('/proc/stat', 'latin1')),
    own: Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, timesOf(pid)])),
  }
}

const rounded = (value) => Number(value.toFixed(3))

/**
 * @param before of `look` @param after likewise
 * @param pids all processes of this run
 * @returns shares of one core: of each own process `{ user, system, main }`, of each core `{ busy, system }`, and what others took
 */
export function difference(before, after, pids) {
  const seconds = (after.at - before.at) / 1000
  const share = (ticks) => rounded(ticks / TICKS / seconds)
  const own = Object.fromEntries(
    Object.entries(after.own).map(([name, now]) => {
      const was = before.own[name] ?? { user: 0, system: 0, main: 0 }
      const kinds = Object.keys(now).map((kind) => [kind, share(now[kind] - was[kind])])
      return [name, Object.fromEntries(kinds)]
    }),
  )
  const cores = after.cores.map((now, core) => {
    const was = before.cores[core]
    const all = now.all - was.all
    return {
      busy: rounded((now.busy - was.busy) / all),
      system: rounded((now.system - was.system) / all),
    }
  })
  const others = [before, after].map(({ all }) => {
    const processes = new Map(all.processes)
    for (const pid of Object.values(pids)) processes.delete(String(pid))
    return { ...all, processes }
  })
  const { share: othersShare, busiest } = compare(...others)
  return { own, cores, othersShare, busiest }
}
