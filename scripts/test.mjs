/**
 * `npm test`: the quick tests. A test file that takes long says why in its first line, `// slow: REASON`, and is left to
 * `npm run check`, which runs every test once.
 *
 * node scripts/test.mjs [--all] [arguments of jest]
 *   --all    every test, the slow ones too
 * Where anything but flags is given (`npm test -- test/unit/frame`), jest looks among all tests, slow and quick.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { listTests, quickPatterns } from './test-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const jest = path.join(root, 'node_modules/jest/bin/jest.js')

const given = process.argv.slice(2)
const wantsAll = given.includes('--all')
const flags = given.filter((argument) => argument !== '--all')
const isChosen = flags.some((argument) => !argument.startsWith('-'))

const { quick, slow } = listTests(root)
const files = (number) => `${String(number)} test files`
if (wantsAll) {
  console.log(
    `All tests: ${files(quick.length + slow.length)}, from the sources. On two cores this takes ten minutes.`,
  )
} else if (!isChosen) {
  console.log(
    `The quick tests: ${files(quick.length)}, from the sources, within three minutes on two cores.\n` +
      `Left to "npm run check": ${files(slow.length)} that take longer, such as load, slow peers, the browser and the linter.`,
  )
}

const patterns = wantsAll || isChosen ? [] : quickPatterns(slow)
const child = spawn(process.execPath, [jest, ...flags, ...patterns], { cwd: root, stdio: 'inherit' })
child.once('close', (code, signal) => {
  if (signal === null) process.exitCode = code
  else process.kill(process.pid, signal)
})
