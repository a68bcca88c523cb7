/**
 * Builds the drop-in for `ws`: `packages/ws/dist/index.js`, ONE file in CommonJS with the engine inside, so that an
 * `overrides`, a bundler or Electron needs nothing else. Its `module.exports` is the class WebSocket, as that of `ws` is.
 *
 * node scripts/build-drop-in.mjs [--out FILE]
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { out: { type: 'string', default: 'packages/ws/dist/index.js' } } })

await build({
  absWorkingDir: root,
  entryPoints: ['packages/ws/src/index.ts'],
  outfile: path.resolve(root, values.out),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  charset: 'utf8',
  logLevel: 'warning',
  banner: { js: "'use strict'" },
  footer: { js: 'module.exports = module.exports.default' },
})
