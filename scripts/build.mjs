/**
 * Builds the package: `dist/esm` (all of src) and `dist/cjs` (all but the command), each with types and source
 * maps. Both are made beside `dist` and moved there only when whole, so that a failed build leaves the last good
 * one, and nobody who runs it meanwhile sees half of one.
 *
 * node scripts/build.mjs [--out DIR] [--esm-only]
 */
import { spawn } from 'node:child_process'
import { chmod, cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = path.join(root, 'node_modules/typescript/bin/tsc')

/** Runs tsc on one configuration. @returns what it reported: empty when all is well */
function compile(config, outDir, ...options) {
  return new Promise((resolve, reject) => {
    const pretty = String(process.stdout.isTTY === true)
    const args = [tsc, '-p', config, '--outDir', outDir, '--pretty', pretty, ...options]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let report = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (report += text))
    child.once('error', reject)
    child.once('close', (code) => resolve(code === 0 ? '' : report || `tsc ended with ${String(code)}\n`))
  })
}

/** Copies what src/cli holds beside TypeScript: the page that the command serves. */
async function copyAssets(outDir) {
  const from = path.join(root, 'src/cli')
  const entries = await readdir(from, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.endsWith('.ts')) continue
    const file = path.join(entry.parentPath, entry.name)
    await cp(file, path.join(outDir, 'cli', path.relative(from, file)))
  }
}

async function build(out, esmOnly) {
  const staging = `${out}.${String(process.pid)}.tmp`
  const esm = path.join(staging, 'esm')
  const cjs = path.join(staging, 'cjs')
  try {
    // The sources are the same, so checking them once is enough: it is most of tsc's time.
    const reports = await Promise.all([
      compile('tsconfig.build.json', esm),
      esmOnly ? '' : compile('tsconfig.cjs.json', cjs, '--noCheck'),
    ])
    const report = reports.find((text) => text !== '')
    if (report !== undefined) throw new Error(`src does not compile\n${report}`)

    await copyAssets(esm)
    const command = path.join(esm, 'cli/main.js')
    if (await stat(command).catch(() => null)) await chmod(command, 0o755)
    // The nearest package.json says how Node reads a file, and to bundlers whether importing it has side effects.
    for (const [dir, type] of esmOnly
      ? [[esm, 'module']]
      : [
          [esm, 'module'],
          [cjs, 'commonjs'],
        ]) {
      await writeFile(path.join(dir, 'package.json'), `${JSON.stringify({ type, sideEffects: false })}\n`)
    }

    await mkdir(path.dirname(out), { recursive: true })
    await rm(out, { recursive: true, force: true })
    await rename(staging, out)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'dist' }, 'esm-only': { type: 'boolean', default: false } },
})
try {
  await build(path.resolve(root, values.out), values['esm-only'])
} catch (error) {
  console.error(`build: ${error.message}`)
  process.exitCode = 1
}
