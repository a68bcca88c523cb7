/**
 * Builds what is fuzzed: the TypeScript of `src`, with a counter at each place where the code branches, and the targets as they
 * are. The tree stays as it is in the repository, as CommonJS, in a folder of its own.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ts from 'typescript'
import { countBranches } from './instrument.mjs'

/** A change of one file, for a test that plants a fault. @typedef {{ file: string, from: string, to: string }} Patch */

const COMPILER = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
  inlineSourceMap: true,
  inlineSources: true,
}

/** @param {string} text @param {readonly Patch[]} patches of this file */
function applyPatches(text, patches) {
  let patched = text
  for (const { file, from, to } of patches) {
    const parts = patched.split(from)
    if (parts.length !== 2) throw new Error(`${file} has ${String(parts.length - 1)} times: ${from}`)
    patched = parts.join(to)
  }
  return patched
}

/**
 * @param {{ root: string, folder: string, entries: readonly string[], patches?: readonly Patch[] }} options `entries`: files, from
 *   the root, that are built with all that they import; `folder`: an empty one
 * @returns {Promise<void>} beside the files `built.json` is written: how many counters there are, where each file has its own, and the
 *   texts that the code compares with
 */
export async function buildTargets({ root, folder, entries, patches = [] }) {
  const counting = { next: 0, literals: new Set() }
  /** The counters of each file: from the first up to, and without, the second. */
  const ranges = {}
  const waiting = [...entries]
  const seen = new Set(waiting)
  while (waiting.length > 0) {
    const file = waiting.pop()
    const source = await readFile(path.join(root, file), 'utf8')
    const text = applyPatches(
      source,
      patches.filter((patch) => patch.file === file),
    )
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (!fileName.startsWith('.')) continue
      const imported = path.posix.join(path.posix.dirname(file), fileName.replace(/\.js$/, '.ts'))
      if (!seen.has(imported)) waiting.push(imported)
      seen.add(imported)
    }
    const first = counting.next
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: COMPILER,
      fileName: file,
      transformers: file.startsWith('src/') ? { before: [countBranches(counting)] } : {},
    })
    ranges[file] = [first, counting.next]
    const target = path.join(folder, file.replace(/\.ts$/, '.js'))
    await mkdir(path.dirname(target), { recursive: true })
    await writeFile(target, outputText)
  }
  for (const { file } of patches) if (!seen.has(file)) throw new Error(`no target imports ${file}`)
  const built = { counters: counting.next, ranges, literals: [...counting.literals].sort() }
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ type: 'commonjs' }))
  await writeFile(path.join(folder, 'built.json'), JSON.stringify(built))
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
}
