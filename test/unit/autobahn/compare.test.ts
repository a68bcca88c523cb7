import { call } from './evaluate.js'

interface Result {
  readonly behavior: string
  readonly behaviorClose?: string
}
type Results = Readonly<Record<string, Result>>

const OK = { behavior: 'OK', behaviorClose: 'OK' }
const NON_STRICT = { behavior: 'NON-STRICT', behaviorClose: 'OK' }
const INFORMATIONAL = { behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL' }
const FAILED = { behavior: 'FAILED', behaviorClose: 'FAILED' }

function compare(expected: Results, actual: Results, selected: readonly string[]): unknown {
  return call('compare.mjs', 'compareResults', expected, actual, selected)
}

/** The kind of drift from one result to another, for a single case. */
function kindOf(expected: Result, actual: Result): unknown {
  return (compare({ '1.1.1': expected }, { '1.1.1': actual }, ['1.1.1']) as { kind: string }[]).map(
    ({ kind }) => kind,
  )
}

describe('expected against actual', () => {
  test('find no drift in equal results, and ignore cases that were not selected', () => {
    const expected = { '1.1.1': OK, '7.1.6': INFORMATIONAL, '9.1.1': OK }
    expect(compare(expected, { '1.1.1': OK, '7.1.6': INFORMATIONAL }, ['1.1.1', '7.1.6'])).toEqual([])
  })

  test('count worse and better results', () => {
    expect(kindOf(OK, FAILED)).toEqual(['worse'])
    expect(kindOf(OK, NON_STRICT)).toEqual(['worse'])
    expect(kindOf(OK, INFORMATIONAL)).toEqual(['worse'])
    expect(kindOf(NON_STRICT, OK)).toEqual(['better'])
    expect(kindOf(FAILED, INFORMATIONAL)).toEqual(['better'])
  })

  test('count the close alone too, unless no particular close is expected', () => {
    const unclean = { behavior: 'OK', behaviorClose: 'UNCLEAN' }
    expect(compare({ '1.1.1': OK }, { '1.1.1': unclean }, ['1.1.1'])).toEqual([
      { id: '1.1.1', kind: 'worse', expected: 'OK', actual: 'OK, close UNCLEAN' },
    ])
    expect(kindOf({ behavior: 'OK' }, unclean)).toEqual([])
    expect(kindOf(OK, { behavior: 'OK' })).toEqual(['worse'])
  })

  test('call another failure a change, and better with worse, or an unknown word, worse', () => {
    expect(kindOf(unclean(), { behavior: 'OK', behaviorClose: 'WRONG CODE' })).toEqual(['changed'])
    expect(kindOf({ ...NON_STRICT }, { behavior: 'OK', behaviorClose: 'UNCLEAN' })).toEqual(['worse'])
    expect(kindOf(FAILED, { behavior: 'SPLENDID', behaviorClose: 'OK' })).toEqual(['worse'])
  })

  test('name missing and extra cases in the order of the cases', () => {
    const actual = { '10.1.1': OK, '99.1': OK, '2.1': FAILED }
    expect(compare({ '2.1': OK, '9.1.1': OK, '10.1.1': OK }, actual, ['2.1', '9.1.1', '10.1.1'])).toEqual([
      { id: '2.1', kind: 'worse', expected: 'OK', actual: 'FAILED' },
      { id: '9.1.1', kind: 'missing', expected: 'OK', actual: 'nothing' },
      { id: '99.1', kind: 'extra', expected: 'nothing', actual: 'OK' },
    ])
  })

  function unclean(): Result {
    return { behavior: 'OK', behaviorClose: 'UNCLEAN' }
  }
})

describe("the suite's index.json", () => {
  test('gives behaviours, without values that change from run to run', () => {
    const reported = { ...OK, duration: 3, remoteCloseCode: 1000, reportfile: 'hawser_case_1_1_1.json' }
    const index = { hawser: { '1.1.1': reported, '1.1.2': { behavior: 'FAILED' } } }
    expect(call('run-folder.mjs', 'pickResults', index, 'hawser')).toEqual({
      '1.1.1': OK,
      '1.1.2': { behavior: 'FAILED' },
    })
    expect(call('run-folder.mjs', 'pickResults', index, 'ws')).toBeNull()
  })
})
