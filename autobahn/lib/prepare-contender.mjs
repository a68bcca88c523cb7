import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { childEnded, startChild } from './children.mjs'
import { PROJECT_DIR } from './paths.mjs'
import { Stop } from './stop.mjs'

/**
 * @param {string} dir
 * @returns {number} when the newest file in it, at any depth, was changed; 0: there is none
 */
export function newestChangeMs(dir) {
  if (!existsSync(dir)) return 0
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  const stats = names.map((name) => statSync(join(dir, name))).filter((stat) => stat.isFile())
  return stats.reduce((newest, stat) => Math.max(newest, stat.mtimeMs), 0)
}

/** @param {(line: string) => void} log */
async function buildHawser(log) {
  const built = existsSync(join(PROJECT_DIR, 'dist/esm/index.js'))
    ? newestChangeMs(join(PROJECT_DIR, 'dist'))
    : 0
  if (built > newestChangeMs(join(PROJECT_DIR, 'src'))) return
  log('building Hawser ...')
  const script = join(PROJECT_DIR, 'scripts/build.mjs')
  const build = startChild(process.execPath, [script], {
    cwd: PROJECT_DIR,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const { ok, how } = await childEnded(build)
  if (!ok) throw new Stop(`Hawser could not be built (node scripts/build.mjs: ${how})`)
}

/** @param {string} path */
function readVersion(path) {
  return String(JSON.parse(readFileSync(join(PROJECT_DIR, path), 'utf8')).version)
}

/**
 * Makes the contender ready to run: Hawser is built where dist is missing or older than src.
 * @param {import('./options.mjs').ContenderName} contender
 * @param {(line: string) => void} log
 * @returns {Promise<string>} its version
 */
export async function prepareContender(contender, log) {
  if (contender === 'hawser') {
    await buildHawser(log)
    return readVersion('package.json')
  }
  if (!existsSync(join(PROJECT_DIR, 'node_modules/ws'))) {
    throw new Stop('ws is not installed: run `npm ci` first', 2)
  }
  return readVersion('node_modules/ws/package.json')
}
