import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('mutation/worker')

/** What a run says of a file, two of whose tests end with these errors: as jest-circus has them, a pair each. */
const judge = (first: unknown[], second: unknown[] = []): unknown =>
  evaluate(
    'fresh-run.mjs',
    `const run = new subject.FreshRun('1')
     run.enter({})
     for (const [at, errors] of input.entries())
       run.handle({ name: 'test_done', test: { name: String(at), errors } })
     return [run.failed, run.isEndless]`,
    [first, second],
  )

const LATE = [['Exceeded timeout of 60000 ms for a test.', null]]
const WRONG = [[{ message: 'expected 1, received 2' }, null]]

describe('a test file that is loaded with a mutant', () => {
  test('kills it by its first test that fails', () => {
    expect(judge([])).toEqual([null, false])
    expect(judge([], WRONG)).toEqual(['1', false])
    expect(judge(WRONG, LATE)).toEqual(['0', false])
  })

  test('kills it by time where that test did not end: only such a mutant is tried again by a later run', () => {
    expect(judge(LATE)).toEqual(['0', true])
    expect(judge(LATE, WRONG)).toEqual(['0', true])
  })
})
