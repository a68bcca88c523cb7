import { showValue } from '../limits.js'
import type { ServerService } from './service.js'

/** Which service a path belongs to. Exact paths, looked up in a Map. */
export class Routes {
  private readonly services = new Map<string, ServerService>()

  /** @throws TypeError for what is no path, or one that has a service already */
  add(path: string, service: ServerService): void {
    if (typeof path !== 'string' || !path.startsWith('/') || !/^[!-~]*$/.test(path) || /[?#]/.test(path)) {
      throw new TypeError(
        `path must start with a slash, be percent-encoded ASCII and have no query, fragment or space, not ${showValue(path)}`,
      )
    }
    if (this.services.has(path))
      throw new TypeError(`path ${showValue(path)} has a service already: unroute it first`)
    this.services.set(path, service)
  }

  /** @returns whether there was one */
  delete(path: string): boolean {
    return this.services.delete(path)
  }

  find(path: string): ServerService | undefined {
    return this.services.get(path)
  }
}
