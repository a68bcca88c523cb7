/** A server bundled by Rollup with its plugins for Node's resolution and CommonJS, as CommonJS and as an ES module. */
import path from 'node:path'
import commonjs from '@rollup/plugin-commonjs'
import resolve from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import { makeFolder, tryBundle, writeEntry } from '../lib/bundles.mjs'

/** Helpers that `ws` takes where they are installed, and they are not. */
const OPTIONAL = ['bufferutil', 'utf-8-validate']

export async function run({ figure }) {
  const folder = makeFolder('rollup')
  const result = {}
  for (const face of ['esm', 'cjs']) {
    const messages = []
    const bundle = await rollup({
      input: writeEntry(folder, face),
      external: OPTIONAL,
      plugins: [
        resolve({ preferBuiltins: true, exportConditions: ['node'] }),
        commonjs({ ignoreTryCatch: true }),
      ],
      // A circle among the files of a package is not a fault of the bundle.
      onwarn: ({ code }) => code !== 'CIRCULAR_DEPENDENCY' && messages.push(code),
    })
    for (const format of ['cjs', 'es']) {
      const file = path.join(folder, `from-${face}.${format === 'cjs' ? 'cjs' : 'mjs'}`)
      const { output } = await bundle.write({ file, format, interop: 'auto', inlineDynamicImports: true })
      result[`${face} to ${format}`] = {
        messages,
        takesWs: output[0].imports.includes('ws'),
        ...(await tryBundle(file, face === 'esm' && format === 'es' ? { figure } : {})),
      }
    }
    await bundle.close()
  }
  return result
}
