/** A row of the soak as a line for the terminal. */
import { percent } from '../../benchmarks/lib/quiet.mjs'
import { leftOf } from './verdict.mjs'

const MIB = 1024 * 1024
const mebibytes = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`
const micros = (value) => Math.round(value).toLocaleString('en')
const sum = ({ user, system }) => user + system

export function loadLine(row) {
  const { name, quiet, flood, memory, machine, attack } = row
  const { own, cores } = machine.flood
  const statuses = Object.entries(attack.statuses).map(([status, count]) => `${count} x ${status}`)
  return [
    `  ${name.padEnd(14)} p50 ${micros(quiet.p50)} -> ${micros(flood.p50)} µs, p99 ${micros(quiet.p99)} -> ${micros(flood.p99)} µs`,
    `${' '.repeat(17)}resident ${mebibytes(memory.quiet.rss)} -> ${mebibytes(memory.flood.rss)} of ${mebibytes(memory.bound)}; server ${percent(sum(own.server))} of a core, attackers ${percent(sum(own.attackers))}, cores ${cores.map(({ busy }) => percent(busy)).join(' and ')} busy`,
    `${' '.repeat(17)}attackers: ${attack.started} connections, ${mebibytes(attack.bytesSent)}; ${statuses.join(', ')}; ${Object.entries(
      attack.scripts,
    )
      .map(([how, count]) => `${count} ${how}`)
      .join(', ')}`,
    `${' '.repeat(17)}server: ${JSON.stringify(row.counted)}`,
  ].join('\n')
}

export function leaksLine(row) {
  const { title, connections, seconds, surprises } = row
  const { bytes, compiled, resident, files, timers, handles } = leftOf(row)
  const each = (bytes / connections).toFixed(2)
  return [
    `  ${title.padEnd(14)} ${connections.toLocaleString('en')} connections in ${seconds} s: ${Math.round(bytes / 1024)} KiB of objects and external memory (${each} B each), ${Math.round(compiled / 1024)} KiB of programs, ${mebibytes(resident)} resident, ${files} files, ${timers} timers, handles ${handles.join(', ') || 'as before'}`,
    ...surprises.map((text) => `${' '.repeat(17)}${text}`),
  ].join('\n')
}
