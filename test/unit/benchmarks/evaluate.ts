import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The folder of the modules under test. */
const LIB = join(__dirname, '../../../benchmarks/lib')

/**
 * Runs code against a module of benchmarks/lib in a Node of its own. The runner is plain ESM, which jest, running
 * CommonJS here, cannot import: so the files are tested as they are shipped.
 * @param module a file's name in benchmarks/lib
 * @param body statements of an async function, with `subject` (the module) and `input`; what it returns must be JSON
 * @param input JSON
 * @param env added to the environment
 * @returns what the code returned; for an error thrown, `{ threw: message, exitCode }`
 */
export function evaluate(
  module: string,
  body: string,
  input: unknown = null,
  env: Readonly<Record<string, string>> = {},
): unknown {
  const source = `
    import * as subject from ${JSON.stringify(pathToFileURL(join(LIB, module)).href)}
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

/** Calls one exported function; arguments and result are JSON. */
export function call(module: string, name: string, ...args: readonly unknown[]): unknown {
  return evaluate(module, `return subject[${JSON.stringify(name)}](...input)`, args)
}
