/**
 * `npm test`: the quick tests. A test file that takes long says why in its first line, `// slow: REASON`, and is left to
 * `npm run check`, which runs every such test once; one that takes minutes, `// long: REASON`, to `npm run check:all`.
 *
 * node scripts/test.mjs [--all | --long] [arguments of jest]
 *   --all    the quick tests and the slow ones
 *   --long   the long ones alone
 * Where anything but flags is given (`npm test -- test/unit/frame`), jest looks among all tests, quick, slow and long.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { listTests, patternOf, patternsWithout } from './test-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const jest = path.join(root, 'node_modules/jest/bin/jest.js')

const given = process.argv.slice(2)
const wantsAll = given.includes('--all')
const wantsLong = given.includes('--long')
const flags = given.filter((argument) => argument !== '--all' && argument !== '--long')
const isChosen = flags.some((argument) => !argument.startsWith('-'))

const { quick, slow, long } = listTests(root)
const files = (number) => `${String(number)} test files`

/** What jest is told beside the flags, and what the caller reads first. */
function choose() {
  if (isChosen) return { patterns: [], says: '' }
  if (wantsLong) {
    return {
      patterns: long.map(({ file }) => patternOf(file)),
      says: `The long tests: ${files(long.length)}.`,
    }
  }
  const left = `Left to "npm run check:all": ${files(long.length)} that take minutes.`
  if (wantsAll) {
    const says = `The quick and the slow tests: ${files(quick.length + slow.length)}, from the sources. On two cores this takes ten minutes or more.`
    return { patterns: patternsWithout(long), says: `${says}\n${left}` }
  }
  return {
    patterns: patternsWithout([...slow, ...long]),
    says:
      `The quick tests: ${files(quick.length)}, from the sources, in four to six minutes on two cores.\n` +
      `Left to "npm run check": ${files(slow.length)} that take longer, such as load, slow peers, the browser and the linter.\n${left}`,
  }
}

const { patterns, says } = choose()
if (says !== '') console.log(says)
const child = spawn(process.execPath, [jest, ...flags, ...patterns], { cwd: root, stdio: 'inherit' })
child.once('close', (code, signal) => {
  if (signal === null) process.exitCode = code
  else process.kill(process.pid, signal)
})
