import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the project, with a separator at its end. */
export const PROJECT_DIR = fileURLToPath(new URL('../../', import.meta.url))

/** This folder: expected results, reports, the environment of the suite. */
export const AUTOBAHN_DIR = join(PROJECT_DIR, 'autobahn')

/** Where the suite's own HTML and JSON reports are kept (git-ignored). */
export const REPORTS_DIR = join(AUTOBAHN_DIR, 'reports')

/** The Python 2.7 environment of the suite (git-ignored). */
export const VENV_DIR = join(AUTOBAHN_DIR, '.venv')
