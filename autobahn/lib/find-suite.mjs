import { spawnSync } from 'node:child_process'
import { runCommand } from './children.mjs'
import { findPython2 } from './find-python.mjs'
import { checkVenv, makeVenv, SUITE_VERSION } from './make-venv.mjs'
import { Stop } from './stop.mjs'

/** The tag that public projects pin. */
const DOCKER_IMAGE = 'crossbario/autobahn-testsuite:0.8.2'

/** Where a run's folder is seen inside the container. */
const DOCKER_DIR = '/autobahn'

/**
 * How to run wstest.
 * @typedef {object} Suite
 * @property {string} version for the reports
 * @property {(dir: string) => string} outdir what to write as `outdir` in the spec of a run kept in `dir`
 * @property {(mode: string, dir: string) => SuiteCommand} command runs the spec `dir`/spec.json
 */

/**
 * @typedef {object} SuiteCommand
 * @property {string} command
 * @property {string[]} args
 * @property {() => void} [alsoStop] what to do besides killing the command, to end it
 */

/** @param {string} mode @param {string} dir */
function wstestArgs(mode, dir) {
  const args = ['-m', mode, '-s', `${dir}/spec.json`]
  return mode === 'fuzzingserver' ? [...args, '-u', '0'] : args // its web page is not wanted
}

/** @returns {Suite} */
function dockerSuite() {
  return {
    version: DOCKER_IMAGE,
    outdir: () => DOCKER_DIR,
    command: (mode, dir) => {
      const name = `hawser-${mode}-${process.pid}`
      const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
      const options = ['--rm', '--init', '--name', name, '--network', 'host', '--user', user]
      const environment = ['-e', 'PYTHONUNBUFFERED=1', '-v', `${dir}:${DOCKER_DIR}`]
      return {
        command: 'docker',
        args: ['run', ...options, ...environment, DOCKER_IMAGE, 'wstest', ...wstestArgs(mode, DOCKER_DIR)],
        // killing the command leaves the container running
        alsoStop: () => {
          spawnSync('docker', ['kill', name], { stdio: 'ignore', timeout: 10_000 })
        },
      }
    },
  }
}

/**
 * @param {import('./make-venv.mjs').Venv} venv
 * @returns {Suite}
 */
function venvSuite({ python, wstest }) {
  return {
    version: `autobahntestsuite ${SUITE_VERSION}`,
    outdir: (dir) => dir,
    command: (mode, dir) => ({ command: python, args: [wstest, ...wstestArgs(mode, dir)] }),
  }
}

/** @param {NodeJS.ProcessEnv} env */
async function dockerAnswers(env) {
  const { ok, output } = await runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], { env })
  return ok && output.trim() !== ''
}

/**
 * Finds the suite, or installs it.
 * @param {{ env: NodeJS.ProcessEnv, venvDir: string, log: (line: string) => void }} options
 * @returns {Promise<Suite>}
 * @throws Stop (exit code 2) with one line that says what to install
 */
export async function findSuite({ env, venvDir, log }) {
  const wished = env.HAWSER_PYTHON2 !== undefined && env.HAWSER_PYTHON2 !== ''
  if (!wished && (await dockerAnswers(env))) {
    log(`suite: the docker image ${DOCKER_IMAGE}`)
    return dockerSuite()
  }
  const ready = await checkVenv(venvDir)
  if (ready !== null) return venvSuite(ready)
  const python2 = await findPython2(env)
  if (python2 === null) {
    throw new Stop(
      'the Autobahn suite needs a Docker engine or a Python 2.7: start Docker, or install Python 2.7 ' +
        '(`pyenv install 2.7.18` is enough), or set HAWSER_PYTHON2 to its path',
      2,
    )
  }
  log(`suite: installing autobahntestsuite ${SUITE_VERSION} with ${python2} (about a minute, once) ...`)
  return venvSuite(await makeVenv({ python2, dir: venvDir }))
}
