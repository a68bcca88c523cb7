/** Hooks of Node's loader: the ES modules whose text is changed, for read-changed.mjs. */

let sources = new Map()

/** @param {readonly [url: string, text: string][]} changed */
export function initialize(changed) {
  sources = new Map(changed)
}

/** See `load` of node:module. */
export function load(url, context, next) {
  const source = sources.get(url.split('?', 1)[0])
  return source === undefined ? next(url, context) : { format: 'module', shortCircuit: true, source }
}
