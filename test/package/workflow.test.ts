/** .github/workflows/ci.yml: what it names exists. No machine has run it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(__dirname, '../..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const workflow = read('.github/workflows/ci.yml')
const { scripts, engines } = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>
  engines: { node: string }
}

it('says that it has not run', () => {
  expect(workflow).toContain('It has not run yet')
})

it('names scripts of package.json', () => {
  const names = [...workflow.matchAll(/run: npm run ([\w:]+)/g)].map(([, name = '']) => name)
  expect(names).toEqual(
    expect.arrayContaining(['build', 'check', 'check:all', 'autobahn', 'interop', 'consumers']),
  )
  expect(names.filter((name) => !(name in scripts))).toEqual([])
})

it('has Linux, macOS and Windows, and Node from the oldest that the package supports to the newest', () => {
  const listOf = (name: string): string[] =>
    (new RegExp(`^ +${name}: \\[(.*)\\]$`, 'm').exec(workflow)?.[1] ?? '').split(', ')
  expect(listOf('os')).toEqual(['ubuntu-latest', 'macos-latest', 'windows-latest'])
  const versions = listOf('node').map((version) => version.slice(1, -1))
  expect(`>=${versions[0] ?? ''}`).toBe(engines.node)
  expect(versions.at(-1)).toBe('latest')
})

it('takes the container image of Autobahn that the runner takes', () => {
  const [, image = '?'] = /DOCKER_IMAGE = '(.*)'/.exec(read('autobahn/lib/find-suite.mjs')) ?? []
  expect(workflow).toContain(`docker pull --quiet ${image}\n`)
})

it('chooses tests by patterns that match some', () => {
  const files = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name.replaceAll(path.sep, '/')}`)
  const patterns = [...workflow.matchAll(/'((?:test\/|--testPathIgnorePatterns=)[^']*)'/g)].map(
    ([, pattern = '']) => pattern.replace(/^--testPathIgnorePatterns=/, ''),
  )
  expect(patterns.length).toBeGreaterThan(4)
  for (const pattern of patterns) {
    const alternatives = /\((.*)\)/.exec(pattern)?.[1]?.split('|') ?? ['']
    for (const one of alternatives) {
      const expression = new RegExp(pattern.replace(/\(.*\)/, one))
      expect([one, files.some((file) => expression.test(file))]).toEqual([one, true])
    }
  }
})

it('names helpers and files that exist', () => {
  const names = [...workflow.matchAll(/\b((?:test|autobahn|src)\/[\w./-]+\.(?:ts|mjs|py))\b/g)].map(
    ([, name = '']) => name,
  )
  expect(names.length).toBeGreaterThan(1)
  for (const name of names) expect(() => read(name)).not.toThrow()
})
