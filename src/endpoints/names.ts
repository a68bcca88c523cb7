import { showValue } from '../check.js'
import { checkServerService, type ServerService, type ServiceFactory } from '../server/server-service.js'

/** A module with handlers: as its exports, or as its default export. */
export interface ServiceModule {
  /** The handlers, or a function that makes them; without it the exports are the handlers. */
  readonly default?: unknown
}

/** Before the name in the path. */
const ENDPOINT_PREFIX = '/service/'

/** @throws TypeError for a name that cannot stand in a path as it is */
export function endpointPath(name: unknown): string {
  const parts = typeof name === 'string' ? name.split('/') : ['']
  if (!parts.every((part) => /^[A-Za-z\d._~-]+$/.test(part) && !/^\.+$/.test(part))) {
    throw new TypeError(
      `name must be letters, digits, '.', '_', '~' and '-', with slashes between, not ${showValue(name)}`,
    )
  }
  return `${ENDPOINT_PREFIX}${parts.join('/')}`
}

/** The handlers of a module. @throws TypeError or RangeError, as `route` does, where there are none */
export function serviceOf(module: unknown): ServerService | ServiceFactory {
  const { default: main } = (typeof module === 'object' && module !== null ? module : {}) as ServiceModule
  if (main !== undefined) return checkServerService(main)
  // A namespace object is frozen and has no prototype: its functions are the handlers.
  return checkServerService(module)
}
