/** Writes scripts for the program in C: all numbers are of 32 bits, in the order of bytes of this machine, which has to be little endian. */
import { writeFileSync } from 'node:fs'
import { endianness } from 'node:os'

const OPS = ['send', 'head', 'read', 'end', 'wait', 'fin', 'reset', 'close', 'flood', 'dribble', 'deaf']

/**
 * The order in which scripts are followed, over and over: each as often as its weight says, spread evenly.
 * @param {readonly { weight?: number }[]} scripts
 * @returns {number[]} indices
 */
export function sequenceOf(scripts) {
  const places = scripts.flatMap(({ weight = 1 }, index) =>
    Array.from({ length: weight }, (_, turn) => ({ index, at: (turn + 0.5) / weight + index * 1e-9 })),
  )
  return places.sort((a, b) => a.at - b.at).map(({ index }) => index)
}

/** What takes long, or much, has the weight 1: all others come three times as often as they say. */
export const withRare = (ways) =>
  ways.map((way) => ({ ...way, weight: way.weight === 1 ? 1 : 3 * (way.weight ?? 1) }))

/** @param {readonly { steps: readonly object[], weight?: number, receiveBuffer?: number }[]} scripts */
export function writeScripts(file, scripts) {
  if (endianness() !== 'LE') throw new Error('the load program reads numbers in little endian')
  const parts = []
  let byteCount = 0
  /** Bytes that many steps share stand once. */
  const places = new Map()
  const place = (bytes) => {
    const key = bytes.toString('latin1')
    if (!places.has(key)) {
      places.set(key, byteCount)
      parts.push(bytes)
      byteCount += bytes.length
    }
    return places.get(key)
  }
  const numbersOf = ({ op, bytes, status, count, ms = 0 }) => {
    const code = OPS.indexOf(op) + 1
    if (code === 0) throw new Error(`no step ${op}`)
    if (bytes !== undefined) return [code, place(bytes), bytes.length, ms]
    return [code, ...(op === 'head' ? [status, ms] : op === 'read' ? [count, ms] : [ms, 0]), 0]
  }
  const steps = []
  const heads = scripts.flatMap(({ steps: own, receiveBuffer = 0 }) => {
    const first = steps.length
    steps.push(...own.map(numbersOf))
    return [first, own.length, receiveBuffer]
  })
  const sequence = sequenceOf(scripts)
  const counts = [scripts.length, steps.length, sequence.length, byteCount]
  const numbers = Uint32Array.from([...counts, ...heads, ...steps.flat(), ...sequence])
  writeFileSync(file, Buffer.concat([Buffer.from(numbers.buffer), ...parts]))
}
