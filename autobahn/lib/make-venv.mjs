import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runCommand } from './children.mjs'
import { findPython3 } from './find-python.mjs'
import { PROJECT_DIR, REPORTS_DIR } from './paths.mjs'
import { Stop } from './stop.mjs'

/** The suite's release. It pins all that it needs itself. */
export const SUITE_VERSION = '25.10.1'

/** The last line of virtualenv that makes a Python 2.7 environment: under Python 3, and under 2.7 itself. */
const VIRTUALENV_PY3 = 'virtualenv==20.21.1'
const VIRTUALENV_PY2 = 'virtualenv==20.15.1'

const INSTALL_TIMEOUT_MS = 15 * 60_000

/**
 * @typedef {object} Venv
 * @property {string} python
 * @property {string} wstest
 */

/**
 * Looks whether an environment holds the suite, whole and in the right version, by running it.
 * @param {string} dir
 * @returns {Promise<Venv | null>} null: absent, half-made or of another version
 */
export async function checkVenv(dir) {
  const venv = { python: join(dir, 'bin', 'python'), wstest: join(dir, 'bin', 'wstest') }
  const { ok, output } = await runCommand(venv.python, [venv.wstest, '-a'], { timeoutMs: 60_000 })
  return ok && output.split('\n').includes(`AutobahnTestSuite ${SUITE_VERSION}`) ? venv : null
}

/**
 * The ways to make an environment, none of which changes a Python of the user's: each is a list of commands.
 * @param {{ python2: string, python3: string | null, dir: string, scratch: string }} place
 * @returns {{ command: string, args: string[], pythonPath?: string }[][]}
 */
function waysToMake({ python2, python3, dir, scratch }) {
  const make = ['-m', 'virtualenv', '--quiet', '-p', python2, dir]
  /** @param {string} python @param {string} virtualenv @param {string} target */
  const byTarget = (python, virtualenv, target) => [
    { command: python, args: ['-m', 'pip', 'install', '--target', target, virtualenv] },
    { command: python, args: make, pythonPath: target },
  ]
  const ways = [byTarget(python2, VIRTUALENV_PY2, join(scratch, 'lib2'))]
  if (python3 !== null) {
    const own = join(scratch, 'py3')
    const ownPython = join(own, 'bin', 'python')
    ways.unshift(
      [
        { command: python3, args: ['-m', 'venv', own] },
        { command: ownPython, args: ['-m', 'pip', 'install', VIRTUALENV_PY3] },
        { command: ownPython, args: make },
      ],
      // Debian's python3 comes without ensurepip, which `venv` needs
      byTarget(python3, VIRTUALENV_PY3, join(scratch, 'lib3')),
    )
  }
  return ways
}

/**
 * Makes the environment and installs the suite, replacing what is there. About a minute, with a C compiler.
 * @param {{ python2: string, dir: string }} place
 * @returns {Promise<Venv>}
 * @throws Stop that names the log
 */
export async function makeVenv({ python2, dir }) {
  const scratch = mkdtempSync(join(tmpdir(), 'hawser-autobahn-'))
  const cleanUp = () => {
    rmSync(scratch, { recursive: true, force: true })
  }
  process.once('exit', cleanUp)
  mkdirSync(REPORTS_DIR, { recursive: true })
  const logFile = join(REPORTS_DIR, 'make-venv.log')
  const logFd = openSync(logFile, 'w')
  try {
    const python3 = await findPython3(process.env)
    for (const way of waysToMake({ python2, python3, dir, scratch })) {
      rmSync(dir, { recursive: true, force: true })
      if (!(await runAll(way, logFd))) continue
      const install = ['-m', 'pip', 'install', `autobahntestsuite==${SUITE_VERSION}`]
      await runAll([{ command: join(dir, 'bin', 'python'), args: install }], logFd)
      const venv = await checkVenv(dir)
      if (venv !== null) return venv
      break // the environment was made, and the suite does not go into it: another way to make it changes nothing
    }
    throw new Stop(
      `the suite could not be installed: ${relative(PROJECT_DIR, logFile)} says why (a C compiler is needed)`,
      2,
    )
  } finally {
    closeSync(logFd)
    process.off('exit', cleanUp)
    cleanUp()
  }
}

/**
 * @param {{ command: string, args: string[], pythonPath?: string }[]} steps
 * @param {number} logFd
 */
async function runAll(steps, logFd) {
  for (const { command, args, pythonPath } of steps) {
    const env = pythonPath === undefined ? process.env : { ...process.env, PYTHONPATH: pythonPath }
    if (!(await runCommand(command, args, { env, logFd, timeoutMs: INSTALL_TIMEOUT_MS })).ok) return false
  }
  return true
}
