/**
 * What the functions of the application answer to the adapter of crossws, checked. crossws takes what it does not know for nothing
 * said, which accepts an upgrade: here that is an error.
 */
import {
  boolean,
  checkOptionNames,
  isThenable,
  readValues,
  refusePromise,
  showValue,
  string,
  unchecked,
  type Advice,
  type Check,
  type Checks,
} from '../check.js'
import { isResponse } from './framework-upgrades.js'
import type { CrosswsSyncDriver, CrosswsUpgrade } from './crossws-types.js'

/** Whether an object has no class, in any realm. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isOfNoClass = prototype === null || Object.getPrototypeOf(prototype) === null
  return isOfNoClass && !(Symbol.iterator in value) && !(Symbol.toStringTag in value)
}

/** As `showValue`, but for an object that is wrong for its class. */
export const showOfClass = (value: unknown): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? 'an object of a class'
    : showValue(value)

/** Checks headers of the standard, or none. */
export const optionalWebHeaders: Check<Headers | undefined> = (name, value) => {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(
      `${name} must be Headers, an object of headers or their pairs, not ${showValue(value)}`,
    )
  }
  // As an object of headers it would have none.
  refusePromise(value, `${name} must not be a promise: await it`)
  return new Headers(value as Headers)
}

/**
 * Checks a namespace. Empty it would stand for all namespaces where it goes to other instances.
 * @throws TypeError for what is not a string, and for an empty one
 */
function checkNamespace(rule: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TypeError(`${rule} a string that is not empty, not ${showValue(value)}`)
}

/** What `getNamespace` returned. @throws TypeError */
export function readNamespace(value: unknown): string {
  const instead = 'the hook upgrade may be async, and may return a namespace'
  refusePromise(value, `getNamespace must return a string, not a promise: ${instead}`)
  return checkNamespace('getNamespace must return', value)
}

/** The subprotocol that `handleProtocols` chose; undefined: none. @throws TypeError */
export function readProtocol(value: unknown): string | undefined {
  if (value === undefined || value === null || value === false || value === '') return undefined
  if (typeof value === 'string') return value
  throw new TypeError(
    `handleProtocols must return one of the subprotocols offered, or false or undefined, not ${showValue(value)}`,
  )
}

/** The driver that `sync` made. @throws TypeError */
export function readDriver(value: unknown): CrosswsSyncDriver {
  const instead = 'its subscribe may be async'
  refusePromise(value, `sync must return a driver, not a promise: it must not be async, ${instead}`)
  const { subscribe, publish } = (value ?? {}) as Partial<CrosswsSyncDriver>
  if (typeof subscribe === 'function' && typeof publish === 'function') return value as CrosswsSyncDriver
  throw new TypeError(`sync must return a driver, with subscribe and publish, not ${showValue(value)}`)
}

function optionalContext(name: string, value: unknown): Record<string, unknown> | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new TypeError(`${name} must be an object, not ${showValue(value)}`)
}

const UPGRADE = {
  headers: optionalWebHeaders,
  protocol: string(undefined),
  namespace: (name: string, value: unknown) =>
    value === undefined ? undefined : checkNamespace(`${name} must be`, value),
  context: optionalContext,
  handled: boolean(undefined),
  // Of crossws, and not looked at.
  perMessageDeflate: unchecked<unknown>(),
} satisfies Checks<CrosswsUpgrade> & { readonly perMessageDeflate: Check<unknown> }

/** What the hook `upgrade` returned, where it goes on. */
export type UpgradeAnswer = { readonly [Name in keyof typeof UPGRADE]: ReturnType<(typeof UPGRADE)[Name]> }

const PREFIX = 'in what the hook upgrade returns, '
const RESPONSE = 'to refuse the upgrade, return a Response'
const ADVICE: Advice = { instead: { status: RESPONSE, statusCode: RESPONSE, ok: RESPONSE, error: RESPONSE } }

/**
 * Reads what the hook `upgrade` returned.
 * @returns undefined: nothing was said
 * @throws TypeError for what is neither nothing, nor a Response, nor an object of {@link CrosswsUpgrade}
 */
export function readUpgrade(value: unknown): UpgradeAnswer | Response | undefined {
  if (value === undefined || value === null) return undefined
  if (isResponse(value)) return value
  if (typeof value !== 'object' || !isPlain(value)) {
    throw new TypeError(
      'the hook upgrade must return nothing, a Response, or a plain object of headers, protocol, namespace, context and ' +
        `handled, not ${showOfClass(value)}`,
    )
  }
  const fields: Readonly<Record<string, unknown>> = { ...value }
  const promised = Object.entries(fields).filter(([, field]) => isThenable(field))
  // Several may reject, and the error is of one.
  for (const [, field] of promised) Promise.resolve(field).catch(() => undefined)
  checkOptionNames('what the hook upgrade returns', fields, UPGRADE, ADVICE)
  const [first] = promised
  if (first !== undefined) throw new TypeError(`${PREFIX}${first[0]} must not be a promise: await it`)
  // As crossws has it, null and an empty namespace are as if they were not there.
  const given = Object.entries(fields).filter(
    ([name, field]) => field !== null && (name !== 'namespace' || field !== ''),
  )
  return readValues(Object.fromEntries(given) as CrosswsUpgrade, UPGRADE, PREFIX)
}
