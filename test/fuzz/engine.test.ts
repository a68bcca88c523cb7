// slow: compiles sources, and runs the engine, in a Node of its own for each test
/** The engine of the fuzzer: it goes deeper by coverage, the same way for the same seed, and keeps what is short. */
import { mkdtempSync, rmSync, writeFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../helpers/evaluate.js'

const evaluate = evaluatorOf('fuzz/lib')
const root = path.join(__dirname, '../..')

/** A target with four branches, one inside the other, that counts as what is built does. */
const DEEP = `
  const hits = new Uint8Array(8)
  const run = (input) => {
    hits[0]++
    if (input[0] !== 0x48) return
    hits[1]++
    if (input[1] !== 0x57) return
    hits[2]++
    if (input[2] !== 0x53) return
    hits[3]++
    if (input.length > 5 && input[5] === input[0]) throw new Error('deep')
  }
  const engine = new subject.Engine({ hits, run, seed: input.seed, maxBytes: 50, words: [] })
  const finding = await engine.fuzz([], { until: () => engine.executions > 300_000 })
  const corpus = engine.corpus.map((bytes) => bytes.toString('hex'))
`

describe('the engine', () => {
  test('finds what lies behind four branches, from nothing, and makes it short', () => {
    const result = evaluate(
      'engine.mjs',
      `${DEEP}; return [finding.input.toString('hex').slice(0, 6), finding.input.length, finding.error.message]`,
      { seed: 1 },
    )
    expect(result).toEqual(['485753', 6, 'deep'])
  })

  test('does the same for the same seed', () => {
    const code = `${DEEP}; return [engine.executions, corpus]`
    expect(evaluate('engine.mjs', code, { seed: 2 })).toEqual(evaluate('engine.mjs', code, { seed: 2 }))
    expect(evaluate('engine.mjs', code, { seed: 2 })).not.toEqual(evaluate('engine.mjs', code, { seed: 3 }))
  })

  test('keeps the shortest input for each place', () => {
    const code = `
      const hits = new Uint8Array(4)
      const run = (bytes) => { hits[bytes.length > 3 ? 1 : 0]++ }
      const engine = new subject.Engine({ hits, run, seed: 1, maxBytes: 50, words: [] })
      await engine.fuzz([Buffer.from('long enough')], { until: () => engine.executions > 20_000 })
      return [engine.places, engine.corpus.map((bytes) => bytes.length)]`
    expect(evaluate('engine.mjs', code)).toEqual([2, expect.arrayContaining([0, 4])])
  })
})

describe('what is built for the fuzzer', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hawser-build-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const build = (patches: readonly object[]): unknown => {
    const out = mkdtempSync(path.join(folder, 'out-'))
    return evaluate(
      'build.mjs',
      `await subject.buildTargets(input)
       const { createRequire } = await import('node:module')
       const { readFileSync } = await import('node:fs')
       const built = JSON.parse(readFileSync(input.folder + '/built.json', 'utf8'))
       globalThis.__hits = new Uint8Array(built.counters)
       const { pick } = createRequire(input.folder + '/package.json')('./src/subject.js')
       const counts = [5, null, 0].map((value) => {
         globalThis.__hits.fill(0)
         return [pick(value), [...globalThis.__hits].join('')]
       })
       return [counts, built.literals]`,
      { root: folder, folder: out, entries: ['src/subject.ts'], patches },
    )
  }

  beforeAll(() => {
    mkdirSync(path.join(folder, 'src'))
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
    writeFileSync(
      path.join(folder, 'src/subject.ts'),
      `export function pick(value: number | null): string {
         if (value === null) return 'none'
         const name = value || -1
         return name > 0 ? 'above' : 'below'
       }`,
    )
  })

  test('counts each branch that is taken', () => {
    const [counts, literals] = build([]) as [[string, string][], string[]]
    expect(counts.map(([result]) => result)).toEqual(['above', 'none', 'below'])
    expect(new Set(counts.map(([, hits]) => hits)).size).toBe(3)
    expect(literals).toEqual(['above', 'below', 'none'])
  })

  test('has the changes that a test asks for, and refuses one that does not fit', () => {
    const file = 'src/subject.ts'
    const [counts] = build([{ file, from: "'above'", to: "'over'" }]) as [[string, string][]]
    expect(counts[0]?.[0]).toBe('over')
    expect(build([{ file, from: 'not there', to: '' }])).toMatchObject({
      threw: 'src/subject.ts has 0 times: not there',
    })
  })
})
