/** A server bundled by esbuild, minified: as CommonJS and as an ES module, by each face of `ws`. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'
import { makeFolder, tryBundle, writeEntry } from '../lib/bundles.mjs'

/** What stands at the head of an ES module that has CommonJS inside, as esbuild's documentation has it. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

export async function run({ figure }) {
  const folder = makeFolder('esbuild')
  const result = {}
  for (const face of ['esm', 'cjs']) {
    for (const format of ['cjs', 'esm']) {
      const outfile = path.join(folder, `from-${face}.${format === 'cjs' ? 'cjs' : 'mjs'}`)
      const { errors, warnings } = await build({
        entryPoints: [writeEntry(folder, face)],
        outfile,
        bundle: true,
        minify: true,
        platform: 'node',
        target: 'node20',
        format,
        logLevel: 'silent',
        ...(format === 'esm' ? { banner: { js: REQUIRE } } : {}),
      })
      result[`${face} to ${format}`] = {
        messages: [...errors, ...warnings].map(({ text }) => text),
        // The bundle has it inside.
        takesWs: /(require\(|from ?)["']ws["']/.test(readFileSync(outfile, 'utf8')),
        ...(await tryBundle(outfile, face === 'esm' && format === 'cjs' ? { figure } : {})),
      }
    }
  }
  return result
}
