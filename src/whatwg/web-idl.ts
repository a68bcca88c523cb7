/** What Web IDL asks of an interface in JavaScript: how arguments are converted, and how a prototype looks. */

import { types } from 'node:util'

/** The largest `unsigned short`. */
const MAX_UNSIGNED_SHORT = 0xffff

/** @throws TypeError for fewer arguments than the interface needs */
export function needArguments(what: string, given: number, needed: number): void {
  if (given >= needed) return
  throw new TypeError(
    `${what} needs ${String(needed)} argument${needed === 1 ? '' : 's'}, not ${String(given)}`,
  )
}

/**
 * Converts to a `USVString`: any value has a text, and lone surrogates become U+FFFD.
 * @throws TypeError for a symbol, and whatever the value's own conversion throws
 */
export function toUSVString(value: unknown): string {
  if (typeof value === 'symbol') throw new TypeError('a symbol has no text')
  // Node has it since 20; the types have it in ES2024.
  return (String(value) as string & { toWellFormed(): string }).toWellFormed()
}

/** ECMAScript's ToNumber: other than `Number()`, it refuses a bigint. */
function toNumber(value: unknown): number {
  if (typeof value === 'bigint') throw new TypeError('a bigint is not a number')
  return Number(value)
}

/** Converts to `unsigned short`: modulo 65536. */
export function toUnsignedShort(value: unknown): number {
  const number = Math.trunc(toNumber(value))
  const modulus = MAX_UNSIGNED_SHORT + 1
  return Number.isFinite(number) ? ((number % modulus) + modulus) % modulus : 0
}

/** Converts to `[Clamp] unsigned short`: rounds to the nearest integer, a half to the even one. */
export function toClampedUnsignedShort(value: unknown): number {
  const number = toNumber(value)
  if (Number.isNaN(number)) return 0
  const clamped = Math.min(Math.max(number, 0), MAX_UNSIGNED_SHORT)
  const floor = Math.floor(clamped)
  const part = clamped - floor
  return part > 0.5 || (part === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/**
 * Converts to `[EnforceRange] unsigned short`.
 * @throws TypeError for what is not a number from 0 to 65535
 */
export function toEnforcedUnsignedShort(name: string, value: unknown): number {
  const number = Math.trunc(toNumber(value))
  if (!(number >= 0 && number <= MAX_UNSIGNED_SHORT)) {
    throw new TypeError(
      `${name} must be a number from 0 to ${String(MAX_UNSIGNED_SHORT)}, not ${String(number)}`,
    )
  }
  return number
}

/**
 * Reads a dictionary: undefined and null are the empty one.
 * @throws TypeError for what is not an object
 */
export function toDictionary(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {}
  if (typeof value !== 'object' && typeof value !== 'function') {
    throw new TypeError(`${name} must be an object, not ${typeof value}`)
  }
  return value as Readonly<Record<string, unknown>>
}

/** Whether a value is converted to a sequence where a union has one: an object that can be iterated. */
export function isSequence(value: unknown): value is Iterable<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const method = (value as { [Symbol.iterator]?: unknown })[Symbol.iterator]
  return method !== undefined && method !== null
}

/**
 * Views the bytes of a `BufferSource`.
 * @returns undefined for anything else
 * @throws TypeError for shared or resizable memory, which Web IDL refuses here
 */
export function bytesOf(name: string, value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) {
    checkMemory(name, value.buffer)
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  }
  if (!types.isAnyArrayBuffer(value)) return undefined
  checkMemory(name, value)
  return new Uint8Array(value)
}

function checkMemory(name: string, buffer: ArrayBufferLike): void {
  if (types.isSharedArrayBuffer(buffer)) throw new TypeError(`${name} must not be shared memory`)
  if ((buffer as { resizable?: boolean }).resizable === true) {
    throw new TypeError(`${name} must not be a resizable ArrayBuffer`)
  }
}

/** How an interface looks: see {@link describeInterface}. */
export interface InterfaceLook {
  readonly name: string
  readonly attributes: readonly string[]
  /** Operations, and how many arguments each needs. */
  readonly operations?: Readonly<Record<string, number>>
  /** Constants, of the interface and of its prototype. */
  readonly constants?: Readonly<Record<string, number>>
}

/** Makes a class look as Web IDL describes an interface. */
export function describeInterface(
  constructor: { readonly prototype: object },
  { name, attributes, operations = {}, constants = {} }: InterfaceLook,
): void {
  const { prototype } = constructor
  for (const attribute of attributes) Object.defineProperty(prototype, attribute, { enumerable: true })
  for (const [operation, length] of Object.entries(operations)) {
    Object.defineProperty(prototype, operation, { enumerable: true })
    const method = (prototype as Record<string, object>)[operation]
    if (method !== undefined) Object.defineProperty(method, 'length', { value: length })
  }
  for (const [constant, value] of Object.entries(constants)) {
    const property = { value, enumerable: true, writable: false, configurable: false }
    Object.defineProperty(constructor, constant, property)
    Object.defineProperty(prototype, constant, property)
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true })
}
