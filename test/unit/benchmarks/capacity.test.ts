/** The calculation of docs/scaling.md, made again from the figures that the page names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

const PAGE = readFileSync(join(__dirname, '../../../docs/scaling.md'), 'utf8')

/** The rows of the table after a marker or a heading, cells trimmed, without its head. */
function tableAfter(start: string): string[][] {
  const lines = PAGE.slice(PAGE.indexOf(start) + start.length).split('\n')
  const first = lines.findIndex((line) => line.startsWith('|'))
  const rows = lines.slice(first)
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
}

const numberIn = (cell: string | undefined): number => Number.parseFloat((cell ?? '').replaceAll(',', ''))
const symbolIn = (cell: string | undefined): string => (cell ?? '').replace(/[_*]|<\/?sub>/g, '')

function read(rows: readonly (readonly string[])[], at: number): Record<string, number> {
  return Object.fromEntries(rows.slice(2).map((cells) => [symbolIn(cells[0]), numberIn(cells[at])]))
}

describe('the calculation of docs/scaling.md', () => {
  const measured = read(tableAfter('<!-- bench:figures -->'), 2)
  const assumed = read(tableAfter('## The calculation'), 1)
  const [head = [], , ...lines] = tableAfter('<!-- bench:plan -->')
  const line = (name: string): number[] => {
    const found = lines.filter(([what]) => what?.startsWith(name) === true)
    expect(found).toHaveLength(1)
    return (found[0] ?? []).slice(2).map(numberIn)
  }
  const take = (from: Record<string, number>, symbol: string): number => {
    const value = from[symbol]
    if (value === undefined || Number.isNaN(value)) throw new Error(`the page has no figure for ${symbol}`)
    return value
  }

  test('names every figure with its symbol, and its assumptions', () => {
    for (const symbol of ['b', 'bd', 'bt', 's', 'd', 'd16', 'm', 'h', 'p', 'q', 'o', 'a', 'ag'])
      expect(take(measured, symbol)).toBeGreaterThan(0)
    for (const symbol of ['r', 'g', 'u', 'l']) expect(take(assumed, symbol)).toBeGreaterThan(0)
    expect(evaluate('capacity.mjs', 'return subject.ASSUMED')).toEqual({
      ...{ r: take(assumed, 'r'), g: take(assumed, 'g') },
      ...{ u: take(assumed, 'u'), l: take(assumed, 'l') },
    })
  })

  test('has in its program the figures of the table, so that both say the same', () => {
    const [, text = ''] = /^const figures = \{ (.*) \}/m.exec(PAGE) ?? []
    const figures = text.split(', ').map((entry) => entry.split(': '))
    expect(figures.map(([symbol]) => symbol)).toEqual(['b', 's', 'd', 'm', 'p', 'h', 'q'])
    for (const [symbol = '', value] of figures)
      expect([symbol, Number(value)]).toEqual([symbol, take(measured, symbol)])
    const printed = JSON.parse(/^\/\/ prints: (\{.*\})$/m.exec(PAGE)?.[1] ?? '{}') as Record<string, number>
    expect(printed['nodes']).toBe(line('nodes')[2])
    expect(printed['redisServers']).toBe(line('so many Redis servers')[2])
  })

  test('is right in every cell, from the figures that the page names', () => {
    const [b, bt, s, d, m, h, p, q, o, a] = ['b', 'bt', 's', 'd', 'm', 'h', 'p', 'q', 'o', 'a'].map((one) =>
      take(measured, one),
    ) as [number, number, number, number, number, number, number, number, number, number]
    const [r, g, u, l] = ['r', 'g', 'u', 'l'].map((one) => take(assumed, one)) as [
      number,
      number,
      number,
      number,
    ]
    const sizes = head.slice(2).map(numberIn)
    expect(sizes).toEqual([10_000, 100_000, 1_000_000, 10_000_000])

    const nodes = line('nodes')
    sizes.forEach((size, at) => {
      const messages = size * r
      const n = nodes[at] ?? 0
      const loadOf = (count: number): number =>
        (messages * (m + g * d + Math.min(g, count) * p)) / 1e6 / count
      // The least number that holds the connections and the load.
      const fits = (count: number): boolean => count >= 2 && size / count <= l && loadOf(count) <= u
      expect([fits(n), fits(n - 1)]).toEqual([true, false])
      const k = Math.min(g, n)
      const expected: readonly (readonly [string, number])[] = [
        ['messages a second', messages],
        ['deliveries a second', messages * g],
        ['connections of a node', size / n],
        ['load of a node', loadOf(n)],
        ['memory of a node', ((size / n) * (b + s)) / 1e6],
        ['the same with TLS', ((size / n) * (bt + s)) / 1e6],
        ['a name for each connection', ((size - size / n) * a) / 1e6],
        ['copies that Redis hands out', messages * k],
        ['bytes from Redis', (messages * k * o) / 1e6],
        ['processor time of Redis', (messages * k * q) / 1e6],
        ['so many Redis servers', Math.ceil((messages * k * q) / 1e6 / u)],
        ['all come back at once', (size * h) / n / 1e6],
        ['a node closes', ((size / n) * h) / (n - 1) / 0.1 / 1e6],
      ]
      for (const [name, value] of expected) {
        const shown = line(name)[at] ?? Number.NaN
        // Three digits are shown, and whole Redis servers.
        expect([name, size, Math.abs(shown - value) <= Math.abs(value) * 0.006]).toEqual([name, size, true])
      }
    })
    expect(lines).toHaveLength(14)
  })
})
