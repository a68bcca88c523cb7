// slow: starts a process for each call
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { call, evaluate } from './evaluate.js'

const AUTOBAHN = join(__dirname, '../../../autobahn')
const KNOWN = ['10.1.1', '1.1.1', '1.1.10', '1.1.2', '6.4.1', '6.4.2', '12.1.1', '12.1.10', '12.2.1']

function readExpected(role: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(AUTOBAHN, `expected-${role}.json`), 'utf8')) as Record<string, unknown>
}

describe('the selection of cases', () => {
  test('takes all in the order of the numbers without a pattern', () => {
    expect(call('cases.mjs', 'selectCases', KNOWN, [])).toEqual([
      ...['1.1.1', '1.1.2', '1.1.10', '6.4.1', '6.4.2', '10.1.1', '12.1.1', '12.1.10', '12.2.1'],
    ])
  })

  test('matches whole ids, and takes a case once', () => {
    expect(call('cases.mjs', 'selectCases', KNOWN, ['1.*', '6.4.1', '6.4.*'])).toEqual([
      ...['1.1.1', '1.1.2', '1.1.10', '6.4.1', '6.4.2'],
    ])
    expect(call('cases.mjs', 'selectCases', KNOWN, ['1.1.1'])).toEqual(['1.1.1'])
    expect(call('cases.mjs', 'selectCases', KNOWN, ['12.*.1'])).toEqual(['12.1.1', '12.2.1'])
  })

  test('refuses a pattern that matches nothing', () => {
    expect(call('cases.mjs', 'selectCases', KNOWN, ['1.*', '99.*'])).toEqual({
      threw: '--cases 99.* fits no case of the suite (a whole group is written 9.*)',
      exitCode: 2,
    })
  })

  test('takes all 301 cases of 1 to 10, and four of each setting of 12 and 13, as the sample', () => {
    const sample = evaluate('cases.mjs', 'return subject.selectCases(input, subject.SAMPLE_PATTERNS)', [
      ...Object.keys(readExpected('server')),
    ]) as string[]
    expect(sample.filter((id) => /^([1-9]|10)\./.test(id))).toHaveLength(301)
    expect(sample.filter((id) => /^1[23]\./.test(id))).toHaveLength(48)
  })
})

describe('the committed expectation', () => {
  test.each(['server', 'client'])(
    'has 517 cases, all OK except three that can only be informational: %s',
    (role) => {
      const expected = readExpected(role)
      const informational = ['7.1.6', '7.13.1', '7.13.2']
      expect(Object.keys(expected)).toHaveLength(517)
      for (const [id, result] of Object.entries(expected)) {
        const behavior = informational.includes(id) ? 'INFORMATIONAL' : 'OK'
        expect([id, result]).toEqual([id, { behavior, behaviorClose: behavior }])
      }
    },
  )
})
