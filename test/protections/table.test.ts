/** The table of protections: each row has a test that is there, and a change that can be made. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../helpers/evaluate.js'

const evaluate = evaluatorOf('protections/lib')
const root = path.join(__dirname, '../..')

interface List {
  readonly list: string
  readonly rows: readonly { readonly row: string; readonly without?: string }[]
}

describe('the table', () => {
  const { lists, problems } = evaluate(
    'table.mjs',
    'const lists = await subject.readLists(input); return { lists, problems: subject.findProblems(input, lists) }',
    root,
  ) as { lists: readonly List[]; problems: readonly string[] }

  it('has its tests, and what each row changes occurs exactly once', () => {
    expect(problems).toEqual([])
  })

  it('has rows in each list, and few that say why they have no protection', () => {
    const rows = lists.flatMap((one) => one.rows)
    expect(lists.map(({ list }) => list)).toHaveLength(new Set(lists.map(({ list }) => list)).size)
    for (const list of lists) expect(list.rows.length).toBeGreaterThan(5)
    expect(rows.length).toBeGreaterThan(200)
    expect(rows.filter(({ without }) => without !== undefined).length).toBeLessThan(5)
  })
})

describe('what is wrong with a table', () => {
  const right = {
    row: 'one is 1',
    test: ['test/a.test.ts', 'holds %s', 'x'],
    file: 'code.ts',
    from: 'one = 1',
    to: 'one = 2',
  }
  const more = { ...right, row: 'more', also: [{ file: 'code.ts', from: 'two = 2', to: 'two = 1' }] }
  const hangs = { ...right, row: 'hangs', fails: 'hang', because: 'it never ends' }
  const GOOD = [right, more, hangs, { row: 'none', without: 'no code' }]
  const BAD: readonly (readonly [name: string, change: object, problem: string])[] = [
    ['a text that is not there', { from: 'three' }, 'code.ts has 0 times: three'],
    ['a text that is there twice', { from: '= 2' }, 'code.ts has 2 times: = 2'],
    ['a change that changes nothing', { to: 'one = 1' }, 'code.ts does not change'],
    ['a file that is not there', { file: 'gone.ts' }, 'gone.ts is not there'],
    ['a test file that is not there', { test: ['test/b.test.ts', 'x'] }, 'test/b.test.ts is not there'],
    ['a title that is not there', { test: ['test/a.test.ts', 'hold'] }, 'test/a.test.ts has no title: hold'],
    [
      'an unknown kind of failure',
      { fails: 'no', because: 'x' },
      'fails is one of assertion, hang, throw, types, not no',
    ],
    [
      'a failure without a reason',
      { fails: 'throw' },
      'because says why a test does not fail by an assertion',
    ],
    ['a reason without a failure', { because: 'x' }, 'because says why a test does not fail by an assertion'],
    ['a misspelt member', { form: 'x' }, 'it has no member form'],
    ['no reason for no protection', { without: '' }, 'it does not say why'],
  ]
  let found: readonly (readonly string[])[] = []

  beforeAll(() => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hawser-table-'))
    try {
      mkdirSync(path.join(folder, 'test'))
      writeFileSync(path.join(folder, 'code.ts'), 'const one = 1\nconst two = 2\nconst again = 2\n')
      writeFileSync(
        path.join(folder, 'test/a.test.ts'),
        "it.each([1])('holds %s', (one) => one)\nit('does not', async () => undefined)\n",
      )
      const tables = [GOOD, [right, right], ...BAD.map(([, change]) => [{ ...right, ...change }])]
      // In one process for all.
      found = evaluate(
        'table.mjs',
        'return input.tables.map((rows) => subject.findProblems(input.folder, [{ list: "L", rows }]))',
        { folder, tables },
      ) as readonly (readonly string[])[]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('is nothing where it is right', () => {
    expect(found[0]).toEqual([])
  })

  it('is found: two rows of one name', () => {
    expect(found[1]).toEqual(['L: one is 1: the row stands twice'])
  })

  it.each(BAD.map(([name, , problem], at) => [name, problem, at] as const))(
    'is found: %s',
    (_, problem, at) => {
      expect(found[at + 2]).toEqual([expect.stringContaining(`L: one is 1: ${problem}`)])
    },
  )
})

describe('the pattern of the names that a row runs', () => {
  const CASES: readonly (readonly [isMatch: boolean, test: readonly string[], name: string])[] = [
    [true, ['f', 'closes with %i (7.1)'], 'a server closes with 1002 (7.1)'],
    [false, ['f', 'closes with %i (7.1)'], 'a server closes with 1002 (7x1)'],
    [true, ['f', '${role}: holds', 'server'], 'a room server: holds'],
    [false, ['f', '${role}: holds', 'client'], 'a room server: holds'],
    [true, ['f', '$name', 'b'], 'a b c'],
  ]
  const matches = evaluate(
    'table.mjs',
    'return input.map(([, test, name]) => new RegExp(subject.namePattern({ test })).test(name))',
    CASES,
  ) as readonly boolean[]

  it.each(CASES.map((one, at) => [...one, at] as const))('is %s for %j and %s', (isMatch, _, __, at) => {
    expect(matches[at]).toBe(isMatch)
  })
})
