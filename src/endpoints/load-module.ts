import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Looked up in this order after the path as it is. */
const EXTENSIONS = ['.mjs', '.js', '.cjs']

/** The times at which the files of CommonJS modules had been changed, in ms since 1970, when they were loaded. */
const changedMs = new WeakMap<object, number>()

/**
 * Finds the file of a module.
 * @param paths whole paths, with or without extension: the first one that leads to a file
 * @throws Error with the paths, if none of them does
 */
export async function findModule(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    for (const extension of ['', ...EXTENSIONS]) {
      const stats = await stat(path + extension).catch(() => null)
      if (stats?.isFile() === true) return path + extension
    }
  }
  throw new Error(`there is no module ${paths.join(' or ')}, nor with ${EXTENSIONS.join(', ')}`)
}

/**
 * Loads a module as it is now: one that has changed since it was loaded is loaded anew. The replaced one stays in memory: Node
 * keeps it.
 * @param file the whole path of the file
 * @returns the namespace of the module; of CommonJS its exports
 */
export async function loadModule(file: string): Promise<unknown> {
  const { mtimeMs } = await stat(file)
  const load = createRequire(file)
  const key = load.resolve(file)
  const before = load.cache[key]
  // What the application itself loaded is not loaded a second time: its state is shared.
  if (before !== undefined && !changedMs.has(before)) changedMs.set(before, mtimeMs)
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the cache of node:module is such an object
  if (before !== undefined && changedMs.get(before) !== mtimeMs) delete load.cache[key]
  if (file.endsWith('.cjs')) {
    const exported: unknown = load(file)
    note(load.cache[key], mtimeMs)
    return exported
  }
  const url = pathToFileURL(file)
  url.searchParams.set('changed', String(mtimeMs))
  const namespace: unknown = await import(/* webpackIgnore: true */ url.href)
  const commonJs = load.cache[key]
  note(commonJs, mtimeMs)
  return commonJs === undefined ? namespace : commonJs.exports
}

function note(module: object | undefined, mtimeMs: number): void {
  if (module !== undefined) changedMs.set(module, mtimeMs)
}
