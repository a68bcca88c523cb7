import { showValue, type Check } from '../check.js'
import { checkServerService, type ServerService, type ServiceFactory } from '../server/server-service.js'

/** A module with handlers: as its exports, or as its default export. */
export interface ServiceModule {
  /** The handlers, or a function that makes them; without it the exports are the handlers. */
  readonly default?: unknown
}

/** Before the name in the path, by default. */
const ENDPOINT_PREFIX = '/service/'

/** @throws TypeError for a name that cannot stand in a path as it is */
function checkParts(name: string, value: unknown, text: string, legal: string): void {
  if (text.split('/').every((part) => /^[A-Za-z\d._~-]+$/.test(part) && !/^\.+$/.test(part))) return
  throw new TypeError(
    `${name} must be letters, digits, '.', '_', '~' and '-', with slashes ${legal}, not ${showValue(value)}`,
  )
}

/** A check for what stands before the names of endpoints in their paths. */
export const prefixOption: Check<string> = (name, value) => {
  if (value === undefined) return ENDPOINT_PREFIX
  if (value === '/') return value
  const inner = typeof value === 'string' ? /^\/(.*)\/$/s.exec(value)?.[1] : undefined
  checkParts(name, value, inner ?? '', 'around and between')
  return value as string
}

/** @throws TypeError for a name that cannot stand in a path as it is */
export function checkEndpointName(name: unknown): asserts name is string {
  checkParts('name', name, typeof name === 'string' ? name : '', 'between')
}

/** The handlers of a module: its default export, or else its exports. */
export function handlersOf(module: unknown): unknown {
  const { default: main } = (typeof module === 'object' && module !== null ? module : {}) as ServiceModule
  // A namespace object is frozen and has no prototype: its functions are the handlers.
  return main === undefined ? module : main
}

/** The service of a module. @throws TypeError or RangeError, as `route` does, where there is none */
export const serviceOf = (module: unknown): ServerService | ServiceFactory =>
  checkServerService(handlersOf(module))
