/** A table of the system's connections is read in turns of the event loop, and kept only as long as it is good. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keptCount, tableOf, type Table } from '../../../src/transport/tcp-table.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const folder = mkdtempSync(join(tmpdir(), 'hawser-tables-'))
afterAll(() => rmSync(folder, { recursive: true }))

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0')
const ends = (row: number): string => `0100007F:${hex(row, 4)} 0100007F:1F90`
/** Of 150 characters, as proc(5) has them. */
const lineOf = (row: number): string =>
  `${`${String(row).padStart(4)}: ${ends(row)} 01 ${hex(row, 8)}:00000000 00:00000000 00000000     0`.padEnd(
    149,
  )}\n`

function writeTable(name: string, rows: number): string {
  const file = join(folder, name)
  const lines = Array.from({ length: rows }, (_, row) => lineOf(row))
  writeFileSync(file, `  sl  local_address rem_address   st tx_queue rx_queue\n${lines.join('')}`)
  return file
}

async function readWhole(file: string): Promise<{ table: Table; turns: number }> {
  for (let turns = 0; ; turns++) {
    const table = tableOf(file, Infinity)
    if (table !== 'reading') return { table, turns }
    await nextTurn()
  }
}

it.each([
  ['a short table', 3, 0],
  ['a long table, of several turns,', 4_000, 3],
])('%s is dropped when it is not good any more', async (name, rows, leastTurns) => {
  const { table, turns } = await readWhole(writeTable(name, rows))
  expect(turns).toBeGreaterThanOrEqual(leastTurns)
  expect([table.size, table.get(ends(rows - 1))]).toEqual([rows, `${hex(rows - 1, 8)}:00000000`])
  expect(keptCount()).toBe(1)
  // A second at most, or as long as reading it took.
  for (let waited = 0; keptCount() > 0 && waited < 4_000; waited += 20)
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(keptCount()).toBe(0)
})

it('a table that is read again is kept anew', async () => {
  const file = writeTable('again', 1)
  const first = tableOf(file, Infinity)
  expect(tableOf(file, Infinity)).toBe(first)
  const second = tableOf(file, 0)
  expect(second).not.toBe(first)
  expect([tableOf(file, Infinity), keptCount()]).toEqual([second, 1])
})

it('a file that cannot be read is an empty table', () => {
  expect(tableOf(join(folder, 'nowhere'), Infinity)).toEqual(new Map())
})
