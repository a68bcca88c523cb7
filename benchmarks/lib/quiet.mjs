/**
 * Whether the machine is quiet: the processor time that other processes take, of one core, as a share of the time that
 * passes. It is counted from `/proc`, for each process and for those of its children that have ended; what another guest
 * of the host takes (`steal`) counts as well. Linux only: elsewhere nothing is known.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ticks of `/proc` a second, under every Linux that Node runs on. */
export const TICKS = 100
/** Above this share of a core a figure is not worth much. */
export const NOISY = 0.05

/** The ticks of one process, its children that ended among them, by a line of `/proc/PID/stat`. */
export function readStat(text) {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  return { name, ticks: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) }
}

function readSteal() {
  const [line] = readFileSync('/proc/stat', 'latin1').split('\n', 1)
  return Number(line.trim().split(/\s+/)[8] ?? 0)
}

/** @returns a look at all processes but this one, or null where there is no `/proc` */
export function look() {
  const processes = new Map()
  try {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
      try {
        processes.set(pid, readStat(readFileSync(`/proc/${pid}/stat`, 'latin1')))
      } catch {
        // It has ended in between.
      }
    }
    return { at: performance.now(), steal: readSteal(), processes }
  } catch {
    return null
  }
}

/**
 * What others took between two looks, between which all processes that this one started have ended.
 * @returns `share` of one core; `busiest`: names and shares, the largest first; or null where nothing is known
 */
export function compare(before, after) {
  if (before === null || after === null) return null
  const ticks = ((after.at - before.at) / 1000) * TICKS
  const took = []
  for (const [pid, { name, ticks: now }] of after.processes) {
    // The kernel's own work on packets is done for who sends them.
    if (name.startsWith('ksoftirqd/')) continue
    took.push({ name, share: (now - (before.processes.get(pid)?.ticks ?? 0)) / ticks })
  }
  // Those that ended are found again at their parents, as what their children took.
  const ended = [...before.processes].filter(([pid]) => !after.processes.has(pid))
  const again = ended.reduce((sum, [, one]) => sum + one.ticks / ticks, 0)
  const stolen = (after.steal - before.steal) / ticks
  if (stolen > 0) took.push({ name: 'another guest of this host', share: stolen })
  const sum = took.reduce((all, one) => all + one.share, 0) - again
  const share = Math.max(0, Number(sum.toFixed(4)))
  const busiest = took.filter((one) => one.share >= 0.01).sort((a, b) => b.share - a.share)
  return { share, busiest: busiest.slice(0, 5) }
}

/** Runs something, whose processes have all ended when it is done. @returns its result, and the share that others took */
export async function watch(task) {
  const before = look()
  const result = await task()
  return { result, othersShare: compare(before, look())?.share }
}

export const percent = (share) => `${Math.round(share * 100)} %`

/** What the machine does while nothing is measured. @returns the share, the load, and a line for the user */
export async function lookBefore(ms = 1000) {
  const before = look()
  await sleep(ms)
  const found = compare(before, look())
  const [load] = loadavg()
  const known =
    found === null
      ? 'what other processes do is not known here'
      : `other processes take ${percent(found.share)} of a core`
  const names = (found?.busiest ?? []).map(({ name, share }) => `${name} ${percent(share)}`)
  const isQuiet = found === null ? null : found.share <= NOISY
  return {
    loadAverage: load,
    othersShare: found?.share ?? null,
    text: `load average ${load.toFixed(2)}, ${known}${names.length > 0 ? ` (${names.join(', ')})` : ''}${
      isQuiet === false ? ': THIS MACHINE IS NOT QUIET, and the figures will be worth little' : ''
    }`,
  }
}

/** The rows in which others took too much, and what they took at most. @returns null where nothing is known */
export function quietness(rows) {
  const shares = rows.flatMap(({ name, contenders }) =>
    Object.values(contenders)
      .filter(({ othersShare }) => typeof othersShare === 'number')
      .map(({ othersShare }) => ({ name, othersShare })),
  )
  if (shares.length === 0) return null
  const noisy = new Set(shares.filter((one) => one.othersShare > NOISY).map(({ name }) => name))
  return { noisyRows: [...noisy], worstShare: Math.max(...shares.map((one) => one.othersShare)) }
}
