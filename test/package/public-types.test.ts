// slow: it compiles the types of every subpath
/**
 * The check of the public types (scripts/public-types.mjs), which runs on the declarations of the packed package in
 * `npm run package:check`: here on the sources, and on types that are wrong on purpose.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../helpers/evaluate.js'

const root = path.join(__dirname, '../..')
const evaluate = evaluatorOf('scripts')

interface Outcome {
  readonly faults: readonly string[]
  readonly types: readonly string[]
  readonly members: number
}

const check = (folder: string, files: readonly string[]): Outcome =>
  evaluate(
    'public-types.mjs',
    `return subject.checkPublicTypes(input.files, (file) => file.startsWith(input.folder), {
      typeRoots: [input.root + '/node_modules/@types'], types: ['node'],
    })`,
    { root, folder, files: files.map((file) => path.join(folder, file)) },
  ) as Outcome

const WRONG: readonly (readonly [what: string, code: string, faults: readonly string[]])[] = [
  [
    'an internal member',
    '/** A. */ export declare class A { /** @internal */ deliver(): void }',
    ['A.deliver is internal'],
  ],
  [
    'an internal constructor',
    '/** A. */ export declare class A { /** @internal */ constructor() }',
    ['A is internal'],
  ],
  ['a member without a docstring', '/** A. */ export interface A { b: number }', ['A.b has no docstring']],
  ['a type without a docstring', 'export interface A { /** B. */ b: number }', ['A has no docstring']],
  [
    'what only another type names',
    'interface B { c: string }\n/** A. */ export interface A { /** B. */ b: readonly B[] }',
    ['B has no docstring', 'B.c has no docstring'],
  ],
  [
    'a member of a member, and of one part of a union',
    "/** A. */ export type A = { type: 'a'; b: string } | { /** C. */ c: { d: string } }",
    ['A.b has no docstring', 'A.c.d has no docstring'],
  ],
  [
    'a protected member, which a subclass reaches',
    '/** A. */ export declare class A { protected b: string }',
    ['A.b has no docstring'],
  ],
]

const RIGHT = `
      /** A. */ export interface A { /** B. */ b: string; readonly kind: 'a'; c?: never }
      /** D. */ export declare class D extends Error implements A {
        #private; private e; b: string; name: string; readonly kind = 'a'
      }
      /** F. */ export declare const F: { readonly ONE: 1; readonly two: { three: string } }
`

let found: readonly string[]
beforeAll(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hawser-types-'))
  try {
    const files = [...WRONG.map(([, code]) => code), RIGHT].map((code, at) => {
      writeFileSync(path.join(folder, `${at}.d.ts`), code.replaceAll(' /**', '\n/**'))
      return `${at}.d.ts`
    })
    found = check(folder, files).faults
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** What the check finds in one of the modules. */
const faultsOf = (at: number): string[] =>
  found.filter((line) => line.includes(`/${at}.d.ts:`)).map((line) => line.replace(/^\S+ /, ''))

const ADAPTERS = ['crossws', 'express', 'fastify', 'hono', 'nest']
const BROKERS = ['nats', 'redis']

describe('the public types', () => {
  it('have docstrings, and none of them is internal', () => {
    const rooms = ['', 'endpoints/', 'json/', 'frame/', 'handshake/', 'deflate/', 'connection/', 'backplane/']
    const { faults, types } = check(path.join(root, 'src'), [
      ...rooms.map((room) => `${room}index.ts`),
      ...ADAPTERS.map((name) => `adapters/${name}.ts`),
      ...BROKERS.map((name) => `brokers/${name}.ts`),
    ])
    expect(faults).toEqual([])
    expect(types).toEqual(expect.arrayContaining(['ServerSocket', 'HubLimits', 'FrameParser', 'Envelope']))
  })

  it.each(WRONG)('would be found: %s', (what, _, faults) => {
    expect(faultsOf(WRONG.findIndex((row) => row[0] === what))).toEqual(faults)
  })

  it('need no docstring where a base, the language or the type itself says it, and where users cannot reach', () => {
    expect(faultsOf(WRONG.length)).toEqual([])
  })
})
