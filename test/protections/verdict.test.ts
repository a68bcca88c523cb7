/** What a report of jest says of a row: held, or not, and why. */
import { evaluatorOf } from '../helpers/evaluate.js'

const evaluate = evaluatorOf('protections/lib')

const AT_TEST =
  '\n    at expected (node_modules/jest-circus/a.js:1:1)\n    at Object.<anonymous> (/p/test/unit/a.test.ts:7:3)'
const AT_CODE =
  '\n    at run (/p/src/socket/run-loop.ts:7:3)\n    at Object.<anonymous> (/p/test/unit/a.test.ts:7:3)'

describe('a failure', () => {
  const CASES: readonly (readonly [kind: string, message: string])[] = [
    ['assertion', `Error: expect(received).toBe(expected)${AT_TEST}`],
    ['assertion', `Error: \u001b[2mexpect(\u001b[22mreceived).toBe()${AT_TEST}`],
    ['assertion', `Error: Property failed after 3 tests${AT_TEST}`],
    ['assertion', `AssertionError [ERR_ASSERTION]: no${AT_TEST}`],
    ['assertion', `Error: a frame was lost${AT_TEST}`],
    ['hang', 'Error: Exceeded timeout of 20000 ms for a test.'],
    ['hang', 'thrown: "Exceeded timeout of 20000 ms for a test.'],
    ['hang', `Error: in vain for 8000 ms: all came${AT_TEST}`],
    ['throw', `TypeError: x is not a function${AT_TEST}`],
    ['throw', `Error: of the code${AT_CODE}`],
    ['throw', 'Error: connect ECONNREFUSED 127.0.0.1:1\n    at TCPConnectWrap.afterConnect (node:net:1:1)'],
  ]
  // In one process for all.
  const found = evaluate(
    'verdict.mjs',
    'return input.map(subject.failureOf)',
    CASES.map(([, message]) => message),
  ) as readonly string[]

  it.each(CASES.map(([kind, message], at) => [kind, message, at] as const))('is by %s: %s', (kind, _, at) => {
    expect(found[at]).toBe(kind)
  })
})

const file = (assertionResults: readonly object[], status = 'failed', message = ''): object => ({
  name: '/p/test/unit/a.test.ts',
  status,
  message,
  assertionResults,
})
const passed = { status: 'passed', fullName: 'a room holds', failureMessages: [] }
const pending = { status: 'pending', fullName: 'a room opens', failureMessages: [] }
const asserts = {
  status: 'failed',
  fullName: 'a room holds 2',
  failureMessages: [`Error: expect(x)${AT_TEST}`],
}
const throws = { status: 'failed', fullName: 'a room holds 3', failureMessages: [`TypeError: no${AT_TEST}`] }

describe('without its protection a row', () => {
  const CASES: readonly (readonly [
    name: string,
    results: readonly object[],
    expected: string,
    isHeld: boolean,
    says: string,
  ])[] = [
    [
      'is held by one case that fails',
      [file([passed, pending, asserts])],
      'assertion',
      true,
      '1 of 2 fail by an assertion',
    ],
    [
      'is not held by a test that passes',
      [file([passed, pending])],
      'assertion',
      false,
      'THE TEST PASSES without the protection',
    ],
    [
      'is not held by a test that is not there',
      [file([pending])],
      'assertion',
      false,
      'no test has this title',
    ],
    [
      'is not held by an error of the code',
      [file([throws])],
      'assertion',
      false,
      'fails by an error of the code, not by an assertion: TypeError: no',
    ],
    [
      'is held by an error of the code where it says so',
      [file([throws])],
      'throw',
      true,
      '1 of 1 fail by an error of the code',
    ],
    [
      'is not held by a file that does not load',
      [file([], 'failed', '\nSyntaxError: x\n  at y')],
      'throw',
      false,
      'the file does not load: SyntaxError: x',
    ],
  ]
  const verdicts = evaluate(
    'verdict.mjs',
    'return input.map(([, testResults, expected]) => subject.judgeFailure({ testResults }, expected))',
    CASES,
  ) as readonly object[]

  it.each(CASES.map((one, at) => [...one, at] as const))('%s', (_, __, ___, isHeld, says, at) => {
    expect(verdicts[at]).toEqual({ isHeld, says })
  })
})

describe('with its protection a row', () => {
  it('passes, or says what fails', () => {
    const problems = evaluate(
      'verdict.mjs',
      'return input.patterns.map((pattern) => subject.judgeSuccess(input.report, new RegExp(pattern)))',
      {
        report: { testResults: [file([passed, pending, asserts])] },
        patterns: ['holds$', 'opens', 'holds'],
      },
    )
    expect(problems).toEqual([
      null,
      'no test has this title',
      'fails with the protection: a room holds 2: Error: expect(x)',
    ])
  })
})
