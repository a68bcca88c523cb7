import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('mutation/lib')

const mutant = (id: string, original: string): object => ({
  id,
  file: 'src/frame/header.ts',
  line: 10 + Number(id),
  mutator: 'EqualityOperator',
  text: `if (${original}) return`,
  original,
  replacement: 'false',
})

const divide = (mutants: object[], report: object[] | null): unknown =>
  evaluate('again.mjs', 'return subject.divide(input.mutants, input.report)', { mutants, report })

describe('a run that goes on from a report', () => {
  test('tries all mutants where there is no report', () => {
    const mutants = [mutant('1', 'a'), mutant('2', 'b')]
    expect(divide(mutants, null)).toEqual({ known: [], open: mutants })
  })

  test('takes over what a test killed, wherever its line is now, and tries everything else', () => {
    const statuses = ['killed', 'survived', 'unreached', 'timeout', 'crashed', 'open']
    const report = statuses.map((status, at) => ({
      ...mutant(String(at), `old${String(at)}`),
      status,
      by: status === 'killed' ? 'a test' : null,
    }))
    const mutants = statuses.map((_, at) => mutant(String(at + 20), `old${String(at)}`))
    const added = mutant('30', 'new')
    expect(divide([...mutants, added], report)).toEqual({
      known: [{ ...mutants[0], status: 'killed', by: 'a test' }],
      open: [...mutants.slice(1), added],
    })
  })

  test('tries mutants that look the same again where one of them is alive, or where there are more of them now', () => {
    const same = [mutant('1', 'a'), mutant('2', 'a')]
    const killed = same.map((one) => ({ ...one, status: 'killed', by: 'a test' }))
    expect(divide(same, killed)).toEqual({ known: killed, open: [] })
    const alive = { ...same[0], status: 'survived', by: null }
    expect(divide(same, [killed[0] as object, alive])).toEqual({ known: [], open: same })
    expect(divide(same, [alive, killed[0] as object])).toEqual({ known: [], open: same })
    expect(divide([...same, mutant('3', 'a')], killed)).toMatchObject({ open: [{ id: '3' }] })
  })

  test('refuses a file that is not a report', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hawser-again-'))
    try {
      const file = path.join(folder, 'report.json')
      const read = (): unknown => evaluate('again.mjs', 'return subject.readReport(input)', file)
      expect(read()).toMatchObject({ threw: expect.stringContaining('--again') })
      writeFileSync(file, '{}')
      expect(read()).toEqual({ threw: `--again ${file}: it is not a report` })
      writeFileSync(file, '[]')
      expect(read()).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
