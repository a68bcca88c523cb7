/** Which sources are mutated, and which tests belong to them. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { listTests } from '../../scripts/test-files.mjs'

/** In these folders of test, a file belongs to the room that its name begins with; longest names first. */
const BY_NAME = ['vectors', 'property', 'adversarial']

/** What a room has beside the tests that carry its name. */
const MORE = {
  frame: ['test/vectors/rfc6455-5.7.test.ts'],
}

/** What tries millions of inputs, or tens of thousands of messages: with each expression counted that takes long, and the quick tests notice the same. */
const MILLIONS = ['test/property/frame-utf8.test.ts', 'test/unit/socket/many-messages.test.ts']

/** What opens sockets, or starts programs: such a test waits for others, and a program has a copy of the sources. */
const NEEDS_OTHERS =
  /from '(node:(net|tls|http|https)|.*\/(child|raw-peer|raw-tls|serving|hostile|websocket-server)\.js)'|src\/index\.js/

/** A test that needs a type alone loads nothing for it. */
const TYPES_ALONE = /^import type [^;]*? from '[^']*'$/gm

/** What makes a whole server takes longest: it comes last, for the mutants that are left. */
const MAKES_SERVER = /from '.*\/line-server\.js'/

/** @param {string} target `src/frame` or `src/frame/header.ts` @returns {string} `frame`; of a file in src itself, its name */
export const roomOf = (target) => target.split('/')[1].replace(/\.ts$/, '')

/**
 * @param {string} root of the project
 * @param {readonly string[]} targets files and folders of src
 * @returns {string[]} the files, from the root, sorted
 */
export function sourcesOf(root, targets) {
  const files = targets.flatMap((target) => {
    if (statSync(path.join(root, target)).isFile()) return [target]
    return readdirSync(path.join(root, target), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${target}/${name.replaceAll(path.sep, '/')}`)
  })
  return [...new Set(files)].sort()
}

/** @param {string} file @param {string} room */
function belongs(file, room) {
  const [, kind, name] = file.split('/')
  if (kind === 'unit') return file.startsWith(`test/unit/${room}/`) || file === `test/unit/${room}.test.ts`
  return BY_NAME.includes(kind) && (name === `${room}.test.ts` || name.startsWith(`${room}-`))
}

/**
 * The quick tests of a room that open no sockets and start no programs: unit tests first, since they are the fastest, and those that make
 * a whole server last.
 * @param {string} root of the project
 * @param {string} room
 * @returns {string[]} files, from the root, with slashes
 */
export function testsOf(root, room) {
  const { quick } = listTests(root)
  const files = quick.filter(
    (file) => (belongs(file, room) || (MORE[room] ?? []).includes(file)) && !MILLIONS.includes(file),
  )
  const textOf = (file) => readFileSync(path.join(root, file), 'utf8').replaceAll(TYPES_ALONE, '')
  const silent = files.filter((file) => !NEEDS_OTHERS.test(textOf(file)))
  const kinds = ['unit', ...BY_NAME]
  const rank = (file) =>
    kinds.indexOf(file.split('/')[1]) + (MAKES_SERVER.test(textOf(file)) ? kinds.length : 0)
  return silent.sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
}
