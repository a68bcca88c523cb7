import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('mutation/lib')

interface Mutant {
  readonly id: string
  readonly file: string
  readonly line: number
  readonly mutator: string
  readonly text: string
  readonly original: string
  readonly replacement: string
}

const mutant = (id: string, more: Partial<Mutant> = {}): Mutant => ({
  id,
  file: 'src/frame/header.ts',
  line: 10 + Number(id),
  mutator: 'EqualityOperator',
  text: `if (length < ${id}) return`,
  original: `length < ${id}`,
  replacement: `length <= ${id}`,
  ...more,
})

/** A row of the list, which knows neither the id nor the line. */
const row = ({ file, mutator, text, original, replacement }: Mutant): object => ({
  file,
  mutator,
  text,
  original,
  replacement,
  reason: 'length is never that',
})

const outcomes = (statuses: Readonly<Record<string, string>>): object[] =>
  Object.entries(statuses).map(([id, status]) => ({ ...mutant(id), status, by: null }))

const compare = (
  statuses: Readonly<Record<string, string>>,
  rows: object[],
  all?: readonly Mutant[],
): unknown =>
  evaluate('judge.mjs', 'return subject.compare(input.outcomes, input.rows, input.all)', {
    outcomes: outcomes(statuses),
    rows,
    all: all ?? Object.keys(statuses).map((id) => mutant(id)),
  })

const NOTHING = { unlisted: [], gone: [], killedRows: [] }

describe('the list of survivors', () => {
  test('is right where each survivor has a row, wherever its line is now', () => {
    expect(
      compare({ 1: 'killed', 2: 'survived', 3: 'unreached' }, [row(mutant('2')), row(mutant('3'))]),
    ).toEqual(NOTHING)
  })

  test('is wrong where a mutant survives that has no row, or that no test reaches', () => {
    expect(compare({ 1: 'survived', 2: 'unreached', 3: 'timeout', 4: 'crashed' }, [])).toMatchObject({
      unlisted: [{ id: '1' }, { id: '2' }],
    })
  })

  test.each([
    ['file', { file: 'src/frame/utf8.ts' }],
    ['kind of change', { mutator: 'BooleanLiteral' }],
    ['line', { text: 'if (length < 2 && isFinal) return' }],
    ['original', { original: '2' }],
    ['replacement', { replacement: 'length > 2' }],
  ])('has no row for a mutant where the %s differs', (_what, more) => {
    expect(compare({ 2: 'survived' }, [row(mutant('2', more))])).toMatchObject({ unlisted: [{ id: '2' }] })
  })

  test('is wrong where a row of these files has no mutant any more; rows of other files do not count', () => {
    const gone = row(mutant('9'))
    expect(compare({ 1: 'killed' }, [gone, row(mutant('9', { file: 'src/deflate/jobs.ts' }))])).toEqual({
      ...NOTHING,
      gone: [gone],
    })
  })

  test('is wrong where the tests kill all mutants of a row', () => {
    const listed = row(mutant('1'))
    expect(compare({ 1: 'killed' }, [listed])).toEqual({ ...NOTHING, killedRows: [listed] })
    const twice = [mutant('1'), mutant('2', { ...mutant('1'), id: '2' })]
    expect(compare({ 1: 'killed' }, [listed], twice)).toEqual(NOTHING)
  })

  test('is not judged by mutants that were not tried', () => {
    expect(compare({ 1: 'open', 2: 'open' }, [row(mutant('2'))])).toEqual(NOTHING)
  })
})

describe('the score', () => {
  const score = (statuses: Readonly<Record<string, string>>, rows: object[]): unknown =>
    evaluate('judge.mjs', 'return subject.scoreOf(input.outcomes, input.rows)', {
      outcomes: outcomes(statuses),
      rows,
    })

  test('is the part that the tests kill, by a failure, by time or by a crash; what the list explains is alive', () => {
    const statuses = { 1: 'killed', 2: 'timeout', 3: 'crashed', 4: 'survived', 5: 'survived', 6: 'unreached' }
    expect(score(statuses, [row(mutant('4'))])).toEqual({
      mutants: 6,
      killed: 3,
      timeouts: 2,
      listed: 1,
      unlisted: 2,
      score: 50,
    })
  })

  test('is rounded down, so that 89.99 % is not 90 %', () => {
    const statuses = Object.fromEntries(
      Array.from({ length: 3 }, (_, at) => [String(at), at === 0 ? 'survived' : 'killed']),
    )
    expect(score(statuses, [])).toMatchObject({ score: 66.6 })
  })

  test('leaves out what was not tried', () => {
    expect(score({ 1: 'killed', 2: 'open' }, [])).toMatchObject({ mutants: 1, score: 100 })
    expect(score({ 1: 'open' }, [])).toMatchObject({ mutants: 0, score: 0 })
  })
})

describe('the outcomes', () => {
  const of = (isWhole: boolean): unknown =>
    evaluate(
      'judge.mjs',
      `const ledger = ({ decided, reached, again }) =>
         ({ decided: new Map(decided), reached: new Set(reached), again: new Map(again.map((id) => [id, new Set()])) })
       return subject.outcomesOf(input.mutants, input.ledgers.map(ledger), input.isWhole).map(({ id, status }) => [id, status])`,
      {
        mutants: ['1', '2', '3', '4'].map((id) => mutant(id)),
        ledgers: [
          { decided: [['1', { status: 'timeout', by: 'a test' }]], reached: ['1', '2'], again: [] },
          { decided: [], reached: [], again: ['3'] },
        ],
        isWhole,
      },
    )

  test('are of all workers together: decided, survived after all tests, or reached by none', () => {
    expect(of(true)).toEqual([
      ['1', 'timeout'],
      ['2', 'survived'],
      ['3', 'survived'],
      ['4', 'unreached'],
    ])
  })

  test('are open where time ran out before all tests were through', () => {
    expect(of(false)).toEqual([
      ['1', 'timeout'],
      ['2', 'open'],
      ['3', 'open'],
      ['4', 'open'],
    ])
  })
})

describe('the choice of mutants', () => {
  const choose = (count: number | null, seed: number): number[] =>
    evaluate(
      'choose.mjs',
      'return subject.choose(Array.from({ length: 100 }, (_, at) => at), input.count, input.seed)',
      {
        count,
        seed,
      },
    ) as number[]

  test('has as many as asked for, in order, the same for a seed and another for another', () => {
    const chosen = choose(10, 1)
    expect(new Set(chosen).size).toBe(10)
    expect(chosen).toEqual([...chosen].sort((one, other) => one - other))
    expect(choose(10, 1)).toEqual(chosen)
    expect(choose(10, 2)).not.toEqual(chosen)
  })

  test('has all where there are no more', () => {
    expect(choose(100, 1)).toHaveLength(100)
    expect(choose(null, 1)).toHaveLength(100)
  })
})
