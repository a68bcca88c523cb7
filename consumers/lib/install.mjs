/**
 * The two installations: the programs with `ws`, and the same versions of the programs with the packed drop-in, which npm
 * puts in the place of `ws` by `overrides`, as a user of it does.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { replaceBundled } from './replace.mjs'

const CONSUMERS = fileURLToPath(new URL('..', import.meta.url))
const DROP_IN = path.join(CONSUMERS, '../packages/ws')
/** Git ignores it. */
export const CACHE = path.join(CONSUMERS, '.cache')

const TIMEOUT_MS = 600_000
const FLAGS = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error']
/** Neither has to be there for the quick programs. */
const QUICK_FLAGS = ['--omit=dev']

function npm(args, cwd) {
  const { status, error, stdout, stderr } = spawnSync('npm', args, {
    cwd,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    shell: process.platform === 'win32',
    // What npm gave to this script is not for another npm: `npm run` hands its flags on by the environment.
    env: Object.fromEntries(
      Object.entries(process.env).filter(
        ([key]) => !/^npm_(config_(?!registry|cache)|lifecycle|package)/i.test(key),
      ),
    ),
  })
  if (status === 0) return stdout
  throw new Error(`npm ${args.join(' ')} failed: ${error?.message ?? ''} ${stderr.trim().slice(-2_000)}`)
}

const hashOf = (data) => createHash('sha256').update(data).digest('hex')
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))
const writeJson = (file, value) => writeFileSync(file, JSON.stringify(value, null, 2))
const manifest = () => readJson(path.join(CONSUMERS, 'package.json'))
const lock = () => readJson(path.join(CONSUMERS, 'package-lock.json'))

/** Packs the drop-in, which builds it. @returns {string} the tarball, named by what is in it */
export function packDropIn() {
  mkdirSync(CACHE, { recursive: true })
  npm(['pack', '--loglevel=error', '--pack-destination', CACHE], DROP_IN)
  const { name, version } = readJson(path.join(DROP_IN, 'package.json'))
  const packed = path.join(CACHE, `${name}-${version}.tgz`)
  const hash = hashOf(readFileSync(packed)).slice(0, 16)
  const tarball = path.join(CACHE, `${name}-${hash}.tgz`)
  for (const file of readdirSync(CACHE)) {
    if (file.endsWith('.tgz') && file !== path.basename(packed)) rmSync(path.join(CACHE, file))
  }
  renameSync(packed, tarball)
  return tarball
}

/** The manifest and the lock with the tarball as `ws`: the lock forgets `ws`, and keeps all else. */
function withDropIn(tarball) {
  const files = { manifest: manifest(), lock: lock() }
  const spec = `file:${tarball}`
  files.manifest.dependencies.ws = spec
  files.lock.packages[''].dependencies.ws = spec
  for (const place of Object.keys(files.lock.packages)) {
    if (/(^|\/)node_modules\/ws$/.test(place)) delete files.lock.packages[place]
  }
  return files
}

/** Every installed package in the place of `ws`, nested ones too. @returns {string[]} their names */
function installedAsWs(tree) {
  const places = readdirSync(path.join(tree, 'node_modules'), { recursive: true })
  return places
    .filter(
      (place) =>
        /(^|[\\/])ws[\\/]package[.]json$/.test(place) &&
        !/(^|[\\/])(@types|adapters)[\\/]ws[\\/]/.test(place),
    )
    .map((place) => readJson(path.join(tree, 'node_modules', place)).name)
}

/** @returns {string} the folder, with the programs in it */
function finish(tree) {
  for (const folder of ['lib', 'programs']) {
    rmSync(path.join(tree, folder), { recursive: true, force: true })
    cpSync(path.join(CONSUMERS, folder), path.join(tree, folder), { recursive: true })
  }
  return tree
}

/**
 * Installs the programs, unless they are.
 * @param {{ isQuick: boolean, tarball: string | null }} options `tarball` null: with `ws`
 * @returns {string} the folder that they are run in
 * @throws Error that says what failed
 */
export function install({ isQuick, tarball }) {
  const tree = path.join(CACHE, isQuick ? 'quick' : 'all', tarball === null ? 'ws' : 'drop-in')
  const files = tarball === null ? { manifest: manifest(), lock: lock() } : withDropIn(tarball)
  const stamp = path.join(tree, '.installed')
  const edits = hashOf(readFileSync(path.join(CONSUMERS, 'lib/replace.mjs')))
  const wanted = { files: hashOf(JSON.stringify(files)), edits }
  const installed = existsSync(stamp) ? readJson(stamp) : null
  if (isDeepStrictEqual(installed, wanted)) return finish(tree)
  mkdirSync(tree, { recursive: true })
  // npm does not look into files that were edited.
  if (installed?.edits !== edits) rmSync(path.join(tree, 'node_modules'), { recursive: true, force: true })
  rmSync(stamp, { force: true })
  writeJson(path.join(tree, 'package.json'), files.manifest)
  writeJson(path.join(tree, 'package-lock.json'), files.lock)
  // The lock of a tree with the tarball is made here: npm writes the hash of the tarball into it.
  npm([tarball === null ? 'ci' : 'install', ...FLAGS, ...(isQuick ? QUICK_FLAGS : [])], tree)
  const name = tarball === null ? 'ws' : 'hawser-ws'
  const places = installedAsWs(tree)
  if (places.length === 0 || places.some((found) => found !== name)) {
    throw new Error(`in the place of ws there is ${places.join(', ') || 'nothing'}, and not ${name} alone`)
  }
  if (tarball !== null && !isQuick) replaceBundled(tree)
  writeJson(stamp, wanted)
  return finish(tree)
}

/** @returns {string} as `engine.io 6.6.13, engine.io-client 6.6.8` */
export const versionsOf = (packages, tree) =>
  packages
    .map((name) => `${name} ${readJson(path.join(tree, 'node_modules', name, 'package.json')).version}`)
    .join(', ')
