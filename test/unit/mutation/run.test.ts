// slow: it starts jest, and waits for tests that do not end
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  copyFileSync,
  readdirSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const root = path.join(__dirname, '../../..')
const evaluate = evaluatorOf('mutation/lib')

const SOURCE = `
export const LIMIT = 3 * 2
export const UNUSED = 'nobody reads this'

export function sum(to: number): number {
  let all = 0
  for (let i = 0; i < to; i++) all = all + i
  return all
}

export function sign(value: number): string {
  return value > 0 ? 'up' : 'down'
}

export function never(value: number): number {
  return value - 1
}

let isBroken = false
export function stays(value: number): boolean {
  if (value === 9) isBroken = true
  return !isBroken
}

export function steps(to: number): number {
  const isUp = to > 1
  let at = 0
  while (at < to) at = at + (isUp ? 1 : 0)
  return at
}

export function settles(value: number): Promise<string> {
  return new Promise((resolve) => {
    if (value > 2) resolve('settled')
  })
}

export function later(value: number): string {
  if (value > 3) return 'in time'
  setTimeout(() => { throw new Error('of a test that is over') }, 20)
  return 'in time'
}

let debt = 0
export function owes(value: number): boolean {
  const isFree = debt === 0
  if (value < 2) debt++
  if (value < 3) debt--
  return isFree
}

let worked: number | undefined
export function once(): number {
  worked = worked === undefined ? LIMIT % 4 : worked
  return worked
}
`

const TEST = `
import * as plant from '../../../src/plant/plant'

let value = 0
beforeEach(() => { value = 5 })

describe('the plant', () => {
  test('has a limit', () => { expect(plant.LIMIT).toBe(6) })
  test('adds', () => { expect(plant.sum(4)).toBe(6) })
  test('has a sign', () => { expect(plant.sign(value)).toBe('up') })
  test('stays', () => { expect(plant.stays(value)).toBe(true) })
  test('stays again', () => { expect(plant.stays(value + 1)).toBe(true) })
  test('steps', () => { expect(plant.steps(value)).toBe(5) })
  test('settles', async () => { expect(await plant.settles(value)).toBe('settled') })
  test('works out once', () => { expect(plant.once()).toBe(2) })
  test('owes nothing', () => { expect(plant.owes(value)).toBe(true) })
  test('is over before what it began', async () => {
    expect(plant.later(value)).toBe('in time')
    await new Promise((resolve) => setTimeout(resolve, 15))
  })
})
`

type Outcomes = Readonly<Record<string, string>>

/** The outcome of each mutant, by `original => replacement`. */
function run(test: string, more: object = {}): Outcomes | { threw: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'hawser-plant-'))
  try {
    for (const name of ['src/plant', 'test/unit/plant'])
      mkdirSync(path.join(folder, name), { recursive: true })
    writeFileSync(path.join(folder, 'src/plant/plant.ts'), SOURCE)
    writeFileSync(path.join(folder, 'test/unit/plant/plant.test.ts'), test)
    copyFileSync(path.join(root, 'jest.config.mjs'), path.join(folder, 'jest.config.mjs'))
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
    return evaluate(
      'supervise.mjs',
      `const { instrument } = await import('./instrument.mjs')
       const { makeSandbox } = await import('./sandbox.mjs')
       const { outcomesOf } = await import('./judge.mjs')
       const { files, mutants } = await instrument(input.folder, ['src/plant/plant.ts'])
       const sandbox = await makeSandbox(input.folder, files)
       try {
         const plan = { sandbox: sandbox.folder, name: '0', files: ['test/unit/plant/plant.test.ts'], deadline: null, ...input.more }
         const ledger = await subject.supervise({ ...plan, mutants: mutants.map(({ id }) => id) }, () => undefined)
         const outcomes = outcomesOf(mutants, [ledger], true)
         return Object.fromEntries(outcomes.map((one) => [one.original + ' => ' + one.replacement, one.status]))
       } finally {
         await sandbox.remove()
       }`.replaceAll("import('./", `import('file://${root}/mutation/lib/`),
      { folder, more },
    ) as Outcomes
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('a run of mutants', () => {
  let outcomes: Outcomes = {}

  beforeAll(() => {
    outcomes = run(TEST, { hangMs: 1000 })
  }, 120_000)

  test('kills what a test notices, in a function and in a constant that is worked out while the file is loaded', () => {
    expect(outcomes).toMatchObject({
      'all + i => all - i': 'killed',
      'value > 0 => value <= 0': 'killed',
      '3 * 2 => 3 / 2': 'killed',
    })
  })

  test('kills with the file loaded anew what the code works out once', () => {
    expect(outcomes['LIMIT % 4 => LIMIT * 4']).toBe('killed')
  })

  test('lets live what no test notices, and says what no test reaches', () => {
    expect(outcomes).toMatchObject({
      'value > 0 => value >= 0': 'survived',
      'value - 1 => value + 1': 'unreached',
      [`'nobody reads this' => ""`]: 'survived',
    })
  })

  test('does not count against a mutant what another one left behind', () => {
    expect(outcomes).toMatchObject({
      'value === 9 => true': 'killed',
      'value === 9 => value !== 9': 'killed',
      'value === 9 => false': 'survived',
    })
  })

  test('ends where several leave something behind that only the next run notices', () => {
    expect(outcomes).toMatchObject({
      'debt === 0 => false': 'killed',
      'value < 2 => true': 'survived',
      'value < 2 => value >= 2': 'survived',
      'value < 3 => true': 'survived',
      'value < 3 => value >= 3': 'survived',
    })
  })

  test('does not count against a mutant what another one threw after its test, nor ends by it', () => {
    expect(outcomes).toMatchObject({
      'value > 3 => true': 'survived',
      'value > 3 => value >= 3': 'survived',
    })
  })

  test('ends a loop without an end by its count, and by time where the mutant lies before it', () => {
    expect(outcomes).toMatchObject({
      'i++ => i--': 'timeout',
      'to > 1 => false': 'timeout',
      'to > 1 => to <= 1': 'timeout',
      'to > 1 => to >= 1': 'survived',
    })
  })

  test('ends a test whose promise does not settle', () => {
    expect(outcomes).toMatchObject({
      'value > 2 => false': 'timeout',
      'value > 2 => value >= 2': 'survived',
    })
  })

  test('leaves nothing in the folder for temporary files', () => {
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('hawser-plant-'))).toEqual([])
  })
})

test('a run whose tests fail without a mutant ends with the title and the message of the first', () => {
  const wrong = TEST.replace('toBe(6)', 'toBe(7)')
  expect(run(wrong)).toMatchObject({ threw: expect.stringContaining('the plant has a limit: ') })
}, 60_000)
