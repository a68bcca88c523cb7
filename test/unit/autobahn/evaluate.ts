import { evaluatorOf } from '../../helpers/evaluate.js'

export const evaluate = evaluatorOf('autobahn/lib')

/** Calls one exported function; arguments and result are JSON. */
export function call(module: string, name: string, ...args: readonly unknown[]): unknown {
  return evaluate(module, `return subject[${JSON.stringify(name)}](...input)`, args)
}
