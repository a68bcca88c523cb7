/** A server bundled by webpack for Node, for production: by each face of `ws`. */
import path from 'node:path'
import { makeFolder, tryBundle, writeEntry } from '../lib/bundles.mjs'
import { bundle } from '../lib/webpack.mjs'

/** `ws` takes these where they are installed, and they are not. */
const isOptional = (warning) => /bufferutil|utf-8-validate/.test(warning)

export async function run({ figure }) {
  const folder = makeFolder('webpack')
  const result = {}
  for (const face of ['esm', 'cjs']) {
    const messages = await bundle({
      mode: 'production',
      target: 'node20',
      context: folder,
      entry: writeEntry(folder, face),
      output: { path: folder, filename: `from-${face}.cjs`, library: { type: 'commonjs2' } },
      stats: { errorDetails: true },
    })
    result[face] = {
      messages: messages.filter((message) => !isOptional(message)),
      ...(await tryBundle(path.join(folder, `from-${face}.cjs`), face === 'esm' ? { figure } : {})),
    }
  }
  return result
}
