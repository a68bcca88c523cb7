/** The page of the fuzzer lists what Hawser does otherwise than ws, as its targets know it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { FRAME_DIFFERENCES, HANDSHAKE_DIFFERENCES } from '../../fuzz/targets/differences.js'

const root = path.join(__dirname, '../..')

describe('docs/fuzzing.md', () => {
  const page = readFileSync(path.join(root, 'docs/fuzzing.md'), 'utf8')

  test.each([...FRAME_DIFFERENCES, ...HANDSHAKE_DIFFERENCES])(
    'has the difference from ws: $name',
    ({ name, why }) => {
      const row = page.split('\n').find((line) => line.startsWith(`| ${name} `))
      expect(row?.split('|')[2]?.trim()).toBe(why)
    },
  )

  test('has no difference that the targets do not know', () => {
    const differences = page.slice(page.indexOf('## Differences from ws'))
    const names = [...differences.matchAll(/^\| ([^|]+?) +\|/gm)]
      .map(([, name]) => name)
      .filter((name) => !/^(difference|-+)$/.test(name!))
    expect(names.sort()).toEqual(
      [...FRAME_DIFFERENCES, ...HANDSHAKE_DIFFERENCES].map(({ name }) => name).sort(),
    )
  })
})
