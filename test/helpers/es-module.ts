/** Packages that are ES modules alone, in tests, which run as CommonJS: bundled by esbuild when they are first wanted. */
import { buildSync } from 'esbuild'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/**
 * Loads packages together, so that what they share is there once.
 * @param names by the name that the result has them under
 */
export function loadModules<T extends object>(names: Readonly<Record<keyof T, string>>): T {
  const directory = mkdtempSync(path.join(tmpdir(), 'hawser-modules-'))
  try {
    const outfile = path.join(directory, 'modules.cjs')
    buildSync({
      stdin: {
        contents: Object.entries(names)
          .map(([name, from]) => `export * as ${name} from ${JSON.stringify(from)}`)
          .join('\n'),
        resolveDir: path.join(__dirname, '../..'),
      },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      define: { 'import.meta.url': 'moduleUrl' },
      banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
      outfile,
      logLevel: 'error',
    })
    return jest.requireActual<T>(outfile)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
