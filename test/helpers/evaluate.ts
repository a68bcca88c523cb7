import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

type Evaluate = (
  module: string,
  body: string,
  input?: unknown,
  env?: Readonly<Record<string, string>>,
) => unknown

/**
 * Runs code against the modules of a folder in a Node of its own. They are plain ESM, which jest, running CommonJS
 * here, cannot import: so the files are tested as they are shipped.
 * @param folder from the root of the project
 * @returns a function that takes a file's name in it; statements of an async function, with `subject` (the module) and
 *   `input`, whose result must be JSON; input, which is JSON; variables to add to the environment. It returns the
 *   result of the code; for an error thrown, `{ threw: message, exitCode }`
 */
export const evaluatorOf =
  (folder: string): Evaluate =>
  (module, body, input = null, env = {}) => {
    const file = join(__dirname, '../..', folder, module)
    const source = `
    import * as subject from ${JSON.stringify(pathToFileURL(file).href)}
    const input = JSON.parse(process.argv[1])
    let result
    try {
      result = await (async () => { ${body} })()
    } catch (error) {
      result = { threw: error.message, exitCode: error.exitCode }
    }
    process.stdout.write(JSON.stringify(result ?? null), () => process.exit())`
    const args = ['--input-type=module', '-e', source, JSON.stringify(input)]
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } })
    return JSON.parse(output)
  }
