/** What a heap snapshot of V8 holds. */
import { readFileSync } from 'node:fs'

/** Kinds of nodes that V8 makes of programs and not of data: code and what belongs to it, feedback on it, and shapes of objects. */
const COMPILED_TYPES = new Set(['code', 'object shape'])
/** V8's lists of the code that depends on a shape. */
const COMPILED_NAMES = new Set(['system / WeakArrayList'])
/** Memory outside of the heap that `process.memoryUsage().external` counts: all of this type but Node's own objects. */
const OUTSIDE_TYPE = 'native'
const NODE_OBJECT = 'Node / '

/**
 * @param text a snapshot of `v8.writeHeapSnapshot`
 * @returns bytes of the heap: `compiled`, what V8 keeps of programs, which it makes as it optimizes them and gives up when it wants
 *   to; and `objects`, what the program keeps, Node's objects in C++ among it
 */
export function readSnapshot(text) {
  const { snapshot, nodes, strings } = JSON.parse(text)
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [typeAt, nameAt, sizeAt] = ['type', 'name', 'self_size'].map((field) => {
    if (!fields.includes(field)) throw new Error(`the snapshot has no ${field} of its nodes`)
    return fields.indexOf(field)
  })
  let objects = 0
  let compiled = 0
  for (let at = 0; at < nodes.length; at += fields.length) {
    const type = types[typeAt][nodes[at + typeAt]]
    const name = strings[nodes[at + nameAt]]
    const size = nodes[at + sizeAt]
    if (COMPILED_TYPES.has(type) || COMPILED_NAMES.has(name)) compiled += size
    else if (type !== OUTSIDE_TYPE || name.startsWith(NODE_OBJECT)) objects += size
  }
  return { objects, compiled }
}

export const readSnapshotFile = (file) => readSnapshot(readFileSync(file, 'utf8'))
