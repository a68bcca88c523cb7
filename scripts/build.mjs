/**
 * Builds the package. The code exists once, as CommonJS in `dist/cjs`, with its types; `dist/esm` has for each subpath a
 * module that exports the same things by name. So a program gets the same classes whether it loads Hawser by `import` or by
 * `require` (docs/adr/0005). `dist/demo` is the command and its page: ES modules that import `hawser` by its name, as every
 * user does; Node finds it by the package.json above. The build writes beside `dist`, and moves the result there when it is
 * whole: a failed build leaves the last good one, and a program that runs meanwhile never sees half of one.
 *
 * node scripts/build.mjs [--out DIR] [--code-only]     --code-only: for tests, which check the types apart: no types
 */
import { spawn } from 'node:child_process'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = path.join(root, 'src')
const demo = path.join(root, 'demo')
const require = createRequire(import.meta.url)

/** Checks src and demo, and writes their types. @returns what tsc reported: empty when all is well */
function compileTypes(outDir) {
  return new Promise((resolve, reject) => {
    const pretty = String(process.stdout.isTTY === true)
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir, '--pretty', pretty]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let report = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (report += text))
    child.once('error', reject)
    child.once('close', (code) => resolve(code === 0 ? '' : report || `tsc ended with ${String(code)}\n`))
  })
}

/** The files below a folder, by their paths from it. */
async function listFiles(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
}

async function write(file, text) {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, text)
}

/** The types of src, beside the code. Nobody imports the command: its types are checked, and not kept. */
async function writeTypes(cjs, staging) {
  const types = path.join(staging, 'types')
  const report = await compileTypes(types)
  if (report !== '') throw new Error(`the sources do not compile\n${report}`)
  await rename(path.join(types, 'src'), cjs)
  await rm(types, { recursive: true })
}

/** One file in JavaScript. @param ending 'cts' or 'mts': what it becomes. `import()` stays what it is in both */
function transpile(file, text, ending) {
  const { outputText } = ts.transpileModule(text, {
    fileName: file.replace(/ts$/, ending),
    compilerOptions: { module: ts.ModuleKind.Node20, target: ts.ScriptTarget.ES2022, isolatedModules: true },
  })
  return outputText
}

/** A folder of sources in JavaScript, with the files that lie beside them and are used at run time. */
async function writeCode(from, to, ending) {
  for (const file of await listFiles(from)) {
    if (file.endsWith('.ts')) {
      const code = transpile(file, await readFile(path.join(from, file), 'utf8'), ending)
      await write(path.join(to, file.replace(/ts$/, 'js')), code)
    } else if (!/[.](md|wat)$/.test(file)) {
      await cp(path.join(from, file), path.join(to, file))
    }
  }
}

/** For each subpath of the manifest a module that exports by name what the CommonJS one has. */
async function writeEntries(staging) {
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  for (const entry of Object.values(manifest.exports)) {
    if (typeof entry === 'string') continue
    const inStaging = (target) => path.join(staging, path.relative('dist', target))
    const [esm, cjs] = [inStaging(entry.import.default), inStaging(entry.require.default)]
    const names = Object.keys(require(cjs)).sort()
    const from = path.relative(path.dirname(esm), cjs).replaceAll(path.sep, '/')
    await write(esm, `export {\n${names.map((name) => `  ${name},\n`).join('')}} from '${from}'\n`)
    await write(inStaging(entry.import.types), `export * from '${from}'\n`)
  }
}

async function build(out, codeOnly) {
  const staging = `${out}.${String(process.pid)}.tmp`
  const esm = path.join(staging, 'esm')
  const cjs = path.join(staging, 'cjs')
  try {
    await mkdir(staging, { recursive: true })
    if (!codeOnly) await writeTypes(cjs, staging)
    await writeCode(source, cjs, 'cts')
    await writeCode(demo, path.join(staging, 'demo'), 'mts')
    await chmod(path.join(staging, 'demo/main.js'), 0o755)
    // The nearest package.json says how Node reads a file, and to bundlers whether importing it has side effects.
    await write(path.join(esm, 'package.json'), '{"type":"module","sideEffects":false}\n')
    await write(path.join(cjs, 'package.json'), '{"type":"commonjs","sideEffects":false}\n')
    await writeEntries(staging)

    await mkdir(path.dirname(out), { recursive: true })
    await rm(out, { recursive: true, force: true })
    await rename(staging, out)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'dist' }, 'code-only': { type: 'boolean', default: false } },
})
try {
  await build(path.resolve(root, values.out), values['code-only'])
} catch (error) {
  console.error(`build: ${error.message}`)
  process.exitCode = 1
}
