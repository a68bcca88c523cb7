import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { evaluate } from './evaluate.js'

const ROOT = join(__dirname, '../../..')
const PAGE = readFileSync(join(ROOT, 'docs/robustness.md'), 'utf8')

/** What people wrote: the page without what is filled in. */
const outside = (text: string): string =>
  text.replace(/(?<=^<!-- soak:\w+ -->\n)[\s\S]*?(?=^<!-- \/soak:\w+ -->$)/gm, '')

interface Row {
  readonly name: string
  readonly faults: readonly string[]
}

describe('docs/robustness.md', () => {
  test('has the figures of soak/results', () => {
    const script = join(ROOT, 'soak/fill-docs.mjs')
    const output = execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8', stdio: 'pipe' })
    expect(output).toBe('docs/robustness.md is as the results say\n')
  })

  test('marks each row that is red, in the tables, and gives a reason for it', () => {
    const { rows, reasons } = evaluate(
      'tables.mjs',
      `
        const { readAllResults } = await import(new URL('../benchmarks/lib/read-results.mjs', input))
        const { REASONS } = await import(new URL('reasons.mjs', input))
        const { fileURLToPath } = await import('node:url')
        const [last] = readAllResults(fileURLToPath(new URL('results', input)))
        return { rows: [...last.rows, ...last.leaks].map(({ name, faults }) => ({ name, faults })), reasons: Object.keys(REASONS) }
      `,
      new URL('../../../soak/', `file://${__filename}`).href,
    ) as { rows: readonly Row[]; reasons: readonly string[] }
    expect(rows.length).toBeGreaterThan(10)
    const red = rows.filter(({ faults }) => faults.length > 0).map(({ name }) => name)
    expect(red.filter((name) => !reasons.includes(name))).toEqual([])
    expect(PAGE).toContain(
      red.length === 0
        ? `All ${rows.length} rows are clean.`
        : `**${red.length} of ${rows.length} rows are not clean:**`,
    )
  })

  test('has no empty table, and no figure of a measurement that was written by hand', () => {
    expect(PAGE).not.toMatch(/^\|[ |:-]+\|\n(?!\|)/m)
    expect(outside(PAGE).match(/\d[\d.,]*\s?(?:times|%|µs)(?![\w])/g) ?? []).toEqual([])
  })

  test('computes the bound with the limits that the server has', () => {
    const [settings, limits] = evaluate(
      'limits-of.mjs',
      `
        const { SERVER_OPTIONS } = await import(new URL('settings.mjs', input))
        return [SERVER_OPTIONS, subject.resolveLimitsOf(SERVER_OPTIONS)]
      `,
      new URL('../../../soak/lib/', `file://${__filename}`).href,
    ) as [{ limits: object }, object]
    expect(resolveLimits(settings.limits, SERVER_LIMITS)).toMatchObject(limits)
  })
})
