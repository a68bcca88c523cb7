import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('scripts')
const root = path.join(__dirname, '../../..')

interface Step {
  readonly name: string
  readonly script?: string
  readonly program?: string
  readonly flags?: readonly string[]
  readonly needs?: string
}

const list = (options: object): readonly Step[] =>
  evaluate('check-steps.mjs', 'return subject.listSteps(input)', {
    root,
    autobahn: 'off',
    interop: false,
    all: false,
    testReport: 'tests.json',
    ...options,
  }) as readonly Step[]

const ALWAYS = [
  'lint',
  'format',
  'types',
  'layers',
  'tests',
  'tests without native, sample',
  'fuzz',
  'build',
  'package',
]

/** The checks that take longer for --all, and what comes after them. */
const LONG: Readonly<Record<string, readonly string[]>> = {
  tests: ['tests', 'tests, long'],
  'tests without native, sample': ['tests without native, all'],
  fuzz: ['fuzz, long', 'mutation, bounded', 'protections'],
}

describe('the checks', () => {
  test('are without Autobahn by default', () => {
    expect(list({}).map(({ name }) => name)).toEqual(ALWAYS)
  })

  test('are with the implementations and the users of ws that are quick to install, in CI', () => {
    expect(list({ interop: true }).slice(ALWAYS.length)).toEqual([
      { name: 'interop (quick)', script: 'interop', flags: ['--quick'], needs: 'build' },
      { name: 'consumers (quick)', script: 'consumers', flags: ['--quick'] },
    ])
  })

  test('are with a sample of Autobahn when the flag asks for it', () => {
    expect(list({ autobahn: 'sample' }).slice(ALWAYS.length)).toEqual([
      { name: 'autobahn (sample)', script: 'autobahn', flags: ['--sample'], needs: 'build' },
    ])
  })

  test('are with all of Autobahn, and its sample without src/native, in CI', () => {
    expect(list({ autobahn: 'full' }).slice(ALWAYS.length)).toEqual([
      { name: 'autobahn (full)', script: 'autobahn', flags: [], needs: 'build' },
      {
        name: 'autobahn (without native, sample)',
        script: 'autobahn',
        flags: ['--stream', '--sample'],
        needs: 'build',
        env: { HAWSER_NATIVE: 'off' },
      },
    ])
  })

  test('are with all of Autobahn both ways, and with every program of test/stress, for --all', () => {
    const tree = mkdtempSync(path.join(tmpdir(), 'hawser-steps-'))
    try {
      expect(list({ root: tree, all: true }).map(({ name }) => name)).toEqual([
        ...ALWAYS.flatMap((name) => LONG[name] ?? name),
        'interop',
        'consumers',
        'autobahn (full)',
        'autobahn (stream, full)',
        'autobahn (without native, sample)',
        'leaks',
      ])
      mkdirSync(path.join(tree, 'test/stress'), { recursive: true })
      for (const name of ['mix.mjs', 'flood.mjs', 'README.md'])
        writeFileSync(path.join(tree, 'test/stress', name), '')
      expect(list({ root: tree, all: true }).slice(-2)).toEqual([
        { name: 'stress (flood)', program: 'test/stress/flood.mjs', needs: 'build' },
        { name: 'stress (mix)', program: 'test/stress/mix.mjs', needs: 'build' },
      ])
      expect(list({ root: tree, autobahn: 'full' }).some(({ name }) => name.startsWith('stress'))).toBe(false)
    } finally {
      rmSync(tree, { recursive: true, force: true })
    }
  })

  test('have an npm script each, and need steps that come before them', () => {
    const { scripts } = evaluatorOf('.')(
      'scripts/check-steps.mjs',
      `
      const { readFileSync } = await import('node:fs')
      return JSON.parse(readFileSync(input, 'utf8'))
    `,
      path.join(root, 'package.json'),
    ) as { scripts: Record<string, string> }
    const steps = list({ all: true })
    for (const [at, { script, needs }] of steps.entries()) {
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script)
      if (needs !== undefined) expect(steps.slice(0, at).map(({ name }) => name)).toContain(needs)
    }
    expect(scripts['check:all']).toBe('node scripts/check.mjs --all')
  })
})

test('run every test once, with the floors of the coverage, and with --all a second time without src/native', () => {
  expect(list({ all: true }).filter(({ script }) => script === 'test' || script === 'coverage')).toEqual([
    {
      name: 'tests',
      script: 'test',
      flags: ['--all', '--coverage', '--json', '--outputFile=tests.json'],
      report: 'tests.json',
    },
    { name: 'tests, long', script: 'test', flags: ['--long'] },
    {
      name: 'tests without native, all',
      script: 'test',
      flags: ['test/(unit|integration|adversarial)/'],
      env: { HAWSER_NATIVE: 'off' },
    },
  ])
})

test('name a quick test file that took more than 12 s', () => {
  const took = (name: string, seconds: number): object => ({
    name: `/home/ada/hawser/test/${name}`,
    startTime: 1_000,
    endTime: 1_000 + seconds * 1000,
  })
  const testResults = [took('a.test.ts', 12), took('b.test.ts', 12.5), took('slow.test.ts', 60)]
  const quick = ['test/a.test.ts', 'test/b.test.ts']
  expect(
    evaluate('check-steps.mjs', 'return subject.listLate(input.report, input.quick)', {
      report: { testResults },
      quick,
    }),
  ).toEqual(['test/b.test.ts is among the quick tests, and took 12.5 s'])
})

describe('the count of tests', () => {
  const REPORT = {
    numPassedTests: 10,
    numFailedTests: 1,
    numRuntimeErrorTestSuites: 1,
    numPendingTests: 2,
    numTodoTests: 1,
  }
  const count = (isCi: boolean): unknown =>
    evaluate('check-steps.mjs', 'return subject.countTests(input.report, input.isCi)', {
      report: REPORT,
      isCi,
    })

  test('has a file that did not load as a failure', () => {
    expect(count(false)).toEqual({ passed: 10, failed: 2, skipped: 3 })
  })

  test('has each test that was skipped as a failure in CI', () => {
    expect(count(true)).toEqual({ passed: 10, failed: 5, skipped: 3 })
  })
})

test('names the tests that failed, and the files that did not load', () => {
  const testResults = [
    {
      name: '/a/fails.test.ts',
      status: 'failed',
      message: 'all of it',
      assertionResults: [
        { status: 'failed', fullName: 'a room holds' },
        { status: 'passed', fullName: 'a room opens' },
      ],
    },
    { name: '/a/broken.test.ts', status: 'failed', message: '\n  no such file\nat x', assertionResults: [] },
    { name: '/a/fine.test.ts', status: 'passed', message: '', assertionResults: [] },
  ]
  const list = (report: unknown): unknown =>
    evaluate('check-steps.mjs', 'return subject.listFailures(input)', report)
  expect(list({ testResults })).toEqual(['fails.test.ts: a room holds', 'broken.test.ts: no such file'])
})

describe('a file that failed', () => {
  const file = (name: string, status: string, ...tests: string[]): object => ({
    name,
    status,
    message: 'no such file',
    assertionResults: tests.map((each) => ({ status: each, fullName: `${name} ${each}` })),
  })
  const FIRST = {
    testResults: [
      file('/a.test.ts', 'passed', 'passed', 'passed'),
      file('/b.test.ts', 'failed', 'passed', 'failed'),
      file('/c.test.ts', 'failed'),
    ],
  }
  const again = (report: object): unknown =>
    evaluate('check-steps.mjs', 'return subject.listAgain(input)', report)
  const join = (second: object | null): unknown =>
    evaluate(
      'check-steps.mjs',
      `const report = subject.joinReports(input.first, input.second)
       return [subject.countTests(report, true), subject.listFailures(report)]`,
      {
        first: {
          ...FIRST,
          numPassedTests: 3,
          numFailedTests: 1,
          numPendingTests: 0,
          numTodoTests: 0,
          numRuntimeErrorTestSuites: 1,
        },
        second,
      },
    )

  test('runs again, unless more than five failed', () => {
    expect(again(FIRST)).toEqual(['/b.test.ts', '/c.test.ts'])
    const failed = (count: number): object[] =>
      Array.from({ length: count }, (_, i) => file(`/${String(i)}.test.ts`, 'failed', 'failed'))
    expect(again({ testResults: failed(5) })).toHaveLength(5)
    expect(again({ testResults: failed(6) })).toEqual([])
  })

  test('counts by its second run', () => {
    const one = { passed: 3, failed: 2, skipped: 0 }
    expect(join(null)).toEqual([one, ['b.test.ts: /b.test.ts failed', 'c.test.ts: no such file']])
    const fine = [file('/b.test.ts', 'passed', 'passed', 'passed'), file('/c.test.ts', 'passed', 'passed')]
    expect(join({ testResults: fine })).toEqual([{ passed: 5, failed: 0, skipped: 0 }, []])
    const still = [file('/b.test.ts', 'passed', 'passed', 'passed'), file('/c.test.ts', 'failed')]
    expect(join({ testResults: still })).toEqual([
      { passed: 4, failed: 1, skipped: 0 },
      ['c.test.ts: no such file'],
    ])
  })
})

test.each([
  ['Jest: Coverage for branches (99%) does not meet "./src/frame/" threshold (100%)', true],
  ['Jest: Coverage data for ./src/frame/ was not found.', true],
  ['Jest: Uncovered count for branches (3) exceeds "./src/frame/" threshold (2)', true],
  ['Tests: 1 failed, 3 passed, 4 total', false],
])('know what jest prints below a floor of the coverage: %s', (text, isBelow) => {
  expect(evaluate('check-steps.mjs', 'return subject.isBelowFloor(input)', text)).toBe(isBelow)
  const reporters = readFileSync(path.join(root, 'node_modules/@jest/reporters/build/index.js'), 'utf8')
  if (isBelow) expect(reporters).toContain(text.slice(0, 'Jest: Coverage '.length))
})
