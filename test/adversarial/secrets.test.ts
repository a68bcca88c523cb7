/** What readers copy: no example compares a secret by `===`, whose time tells how many characters are right (CVE-2021-33880). */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(__dirname, '../..')

const filesOf = (folder: string, ending: RegExp): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !name.includes('node_modules'))
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))

/** The programs in the docs, and the examples. */
const PROGRAMS: readonly (readonly [name: string, code: string])[] = [
  ...['README.md', 'SECURITY.md', ...filesOf('docs', /[.]md$/)].map((file) => {
    const text = readFileSync(path.join(root, file), 'utf8')
    return [file, [...text.matchAll(/```\w+\n([^]*?)```/g)].map(([, code = '']) => code).join('\n')] as const
  }),
  ...filesOf('examples', /[.]m?[jt]s$/).map(
    (file) => [file, readFileSync(path.join(root, file), 'utf8')] as const,
  ),
]

const SECRET =
  '\\w*(?:password|secret|token|signature|digest|hmac|credential|apiKey|authorization)\\w*(?:\\(\\))?'
/** Whether something is there is no comparison of secrets, nor is its length, and a type is one of the compiler. */
const HARMLESS = "(?!\\s*(?:undefined|null|''|typeof\\b|\\d))"
const COMPARED = new RegExp(
  `(?<!typeof [\\w.]*)\\b${SECRET} [!=]={1,2}(?!=)${HARMLESS}|[!=]={1,2} (?:\\w+[.])*${SECRET}(?![\\w.(])`,
  'i',
)

/** Lines that compare a secret as any text is compared. */
const comparisons = (code: string): string[] => code.split('\n').filter((line) => COMPARED.test(line))

describe('programs that readers copy', () => {
  test.each(PROGRAMS.filter(([, code]) => code !== ''))(
    'compare secrets in the same time for each: %s',
    (_, code) => {
      expect(comparisons(code)).toEqual([])
    },
  )

  test.each(['docs/server.md', 'docs/getting-started.md', 'examples/authentication.mjs'])(
    'that authenticate use timingSafeEqual: %s',
    (file) => {
      const [, code = ''] = PROGRAMS.find(([name]) => name === file) ?? []
      expect(code).toMatch(/timingSafeEqual\(/)
    },
  )

  test.each([
    ['if (password === stored.password) return user', 1],
    ['return request.headers.get("Authorization") === `Bearer ${TOKEN}`', 0],
    ['const isRight = given === expectedToken', 1],
    ['if (token === undefined) return', 0],
    ['if (signature.length !== 64) return', 0],
  ])('are told apart by what they compare: %s', (line, count) => {
    expect(comparisons(line)).toHaveLength(count)
  })
})
