/** What the worker and the environment of its tests share: jest loads the environment by its path. */

/** @type {{ run: import('./hot-run.mjs').HotRun | import('./fresh-run.mjs').FreshRun | null }} */
export const session = { run: null }
