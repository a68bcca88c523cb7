import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from './children.mjs'
import { Stop } from './stop.mjs'

const ASK = 'import sys; sys.stdout.write("%d.%d.%d" % sys.version_info[:3])'

/**
 * Asks a Python for its version. A name on the path proves nothing: pyenv's shims exist for versions that are not
 * active, and fail when run.
 * @param {string} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string | null>} `2.7.18`; null: it does not run
 */
export async function askPythonVersion(command, env) {
  const { ok, output } = await runCommand(command, ['-c', ASK], { env })
  return ok && /^\d+\.\d+\.\d+$/.test(output) ? output : null
}

/** @param {NodeJS.ProcessEnv} env @returns {Promise<string[]>} every 2.7 that pyenv has installed */
async function listPyenvPythons(env) {
  const { ok, output } = await runCommand('pyenv', ['root'], { env })
  const roots = [ok ? output.trim() : '', env.PYENV_ROOT ?? '', join(homedir(), '.pyenv')]
  return [...new Set(roots)].flatMap((root) => {
    const versions = join(root, 'versions')
    if (root === '' || !existsSync(versions)) return []
    const names = readdirSync(versions).filter((name) => name.startsWith('2.7'))
    return names.map((name) => join(versions, name, 'bin', 'python2.7'))
  })
}

/**
 * Finds a Python 2.7 that runs.
 * @param {NodeJS.ProcessEnv} env HAWSER_PYTHON2 in it is taken, or refused, before all others
 * @returns {Promise<string | null>} a path, or a name on the PATH
 * @throws Stop where HAWSER_PYTHON2 is set to something else
 */
export async function findPython2(env) {
  const wished = env.HAWSER_PYTHON2
  if (wished !== undefined && wished !== '') {
    const version = await askPythonVersion(wished, env)
    if (version?.startsWith('2.7.')) return wished
    const found = version === null ? 'it does not run' : `it is Python ${version}`
    throw new Stop(`HAWSER_PYTHON2=${wished} must be a Python 2.7: ${found}`, 2)
  }
  const candidates = ['python2.7', 'python2', ...(await listPyenvPythons(env))]
  for (const candidate of candidates) {
    if ((await askPythonVersion(candidate, env))?.startsWith('2.7.')) return candidate
  }
  return null
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string | null>} a Python 3.7 or later that runs
 */
export async function findPython3(env) {
  for (const candidate of ['python3', 'python']) {
    const [major, minor] = ((await askPythonVersion(candidate, env)) ?? '0.0').split('.').map(Number)
    if (major === 3 && (minor ?? 0) >= 7) return candidate
  }
  return null
}
