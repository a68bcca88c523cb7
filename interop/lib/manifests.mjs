/** The manifests of the peers, and how each is installed. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const INTEROP = fileURLToPath(new URL('..', import.meta.url))
const PEERS = path.join(INTEROP, 'peers')
export const CACHE = path.join(INTEROP, '.cache')
/** What several peers have in common, beside them in the tree and in the cache. */
const SHARED = 'shared'

const INSTALL_TIMEOUT_MS = 600_000

/**
 * What is expected of a case, where that is not `ok`.
 * @typedef {{ na: string } | { differs: string, because: string }} Expectation `na`: why it does not apply, and is not run;
 *   `differs`: what happens instead, a regular expression, and why that is right or the peer's fault
 */
/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} [title]
 * @property {string} version or the command that prints it, below
 * @property {readonly string[]} [versionCommand]
 * @property {readonly ('client' | 'server')[]} roles
 * @property {readonly string[]} command run in the installed folder, with `client`, or with `serve CONFIGS`
 * @property {Partial<Record<'client' | 'server' | 'both', Record<string, Expectation>>>} [expect] by the ids of cases,
 *   with spaces between them; `*` stands for any characters
 */
/**
 * @typedef {object} Manifest
 * @property {string} folder its name
 * @property {string} language
 * @property {boolean} quick whether it belongs to `--quick`
 * @property {Record<string, string>} [programs] what must be on the PATH, and the package of Debian that brings it
 * @property {readonly (readonly string[])[]} install commands, run in a copy of the folder
 * @property {readonly Peer[]} peers
 */

/** @returns {Manifest[]} in alphabetical order */
export function readManifests() {
  return readdirSync(PEERS)
    .filter((folder) => existsSync(path.join(PEERS, folder, 'peer.json')))
    .sort()
    .map((folder) => ({ folder, ...JSON.parse(readFileSync(path.join(PEERS, folder, 'peer.json'), 'utf8')) }))
}

const isOnPath = (program) =>
  (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, program)))

function run([program, ...args], cwd) {
  const { status, error, output } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', CARGO_TARGET_DIR: path.join(cwd, 'target') },
  })
  if (status === 0) return
  const said = (output ?? []).join('\n').trim().slice(-3_000)
  throw new Error(`${[program, ...args].join(' ')} failed: ${error?.message ?? ''} ${said}`)
}

/** Programs of the machine: with root and Debian they are installed. */
function installPrograms(programs) {
  const missing = Object.entries(programs).filter(([program]) => !isOnPath(program))
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name)
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    throw new Error(
      `not on the PATH: ${missing.map(([program]) => program).join(', ')} (Debian: ${packages.join(' ')})`,
    )
  }
  run(['apt-get', '-qq', 'update'], INTEROP)
  run(['apt-get', '-qq', 'install', '-y', '--no-install-recommends', ...packages], INTEROP)
}

function fingerprint(folders) {
  const hash = createHash('sha256')
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name)
      // What is expected of a peer is no reason to install it again.
      if (!entry.isFile() || entry.name === 'peer.json') continue
      hash.update(path.relative(folder, file)).update(readFileSync(file))
    }
  }
  return hash.digest('hex')
}

/**
 * Installs the peers of a folder, unless they are.
 * @param {Manifest} manifest @returns the folder that they are started in
 * @throws Error that says what failed
 */
export function install({ folder, programs = {}, install: commands }) {
  installPrograms(programs)
  const source = path.join(PEERS, folder)
  const shared = path.join(PEERS, SHARED)
  const target = path.join(CACHE, folder)
  const stamp = path.join(target, '.installed')
  const wanted = fingerprint([source, shared]) + JSON.stringify(commands)
  cpSync(shared, path.join(CACHE, SHARED), { recursive: true })
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return target
  mkdirSync(target, { recursive: true })
  rmSync(stamp, { force: true })
  cpSync(source, target, { recursive: true })
  for (const command of commands) run(command, target)
  writeFileSync(stamp, wanted)
  return target
}

/** @param {Peer} peer @param {string} folder */
export function versionOf({ version, versionCommand }, folder) {
  if (versionCommand === undefined) return version
  const [program, ...args] = versionCommand
  const { output } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
  return /\d+(\.\d+)+/.exec((output ?? []).join(' '))?.[0] ?? 'unknown'
}

const patternOf = (ids) => new RegExp(`^(${ids.replaceAll('*', '.*').replaceAll(' ', '|')})$`)

/** What is expected of a case: the first that names it. @param {Peer} peer @returns {Expectation | undefined} */
export function expectationOf({ expect = {} }, role, id) {
  const rows = [...Object.entries(expect[role] ?? {}), ...Object.entries(expect.both ?? {})]
  return rows.find(([pattern]) => patternOf(pattern).test(id))?.[1]
}
