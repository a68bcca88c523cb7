/** A copy of the sources and the tests, with the mutants in it, outside the project: nothing is left behind in the tree. */
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const SETUP = fileURLToPath(new URL('../worker/setup.cjs', import.meta.url))

/** What the tests of the engine read. */
const COPIED = ['src', 'test', 'package.json', 'tsconfig.json', 'jest.config.mjs', 'SECURITY.md', 'examples']

/**
 * @param {string} root of the project
 * @param {readonly { file: string, content: string }[]} files the sources with their mutants
 * @returns {Promise<{ folder: string, remove: () => Promise<void> }>}
 */
export async function makeSandbox(root, files) {
  const folder = await mkdtemp(path.join(tmpdir(), 'hawser-mutation-'))
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 })
  try {
    for (const name of COPIED.filter((one) => existsSync(path.join(root, one)))) {
      const skipped = path.join(root, 'test/interop/peers/.cache')
      await cp(path.join(root, name), path.join(folder, name), {
        recursive: true,
        filter: (from) => from !== skipped && path.basename(from) !== 'node_modules',
      })
    }
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
    await cp(SETUP, path.join(folder, 'mutation-setup.cjs'))
    for (const { file, content } of files) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
      await writeFile(path.join(folder, file), content)
    }
    return { folder, remove }
  } catch (error) {
    await remove()
    throw error
  }
}
