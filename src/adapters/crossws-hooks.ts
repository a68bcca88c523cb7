/** How crossws's hooks are found and called: those of the adapter, and those that `resolve` finds for a request. */
import { checkOptionNames, isThenable, showValue } from '../check.js'
import type { CrosswsHooks, CrosswsRequest, CrosswsResolve } from './crossws-types.js'

/** A function of any hook. */
type Hook = (first: unknown, second?: unknown) => unknown

const HOOKS: Readonly<Record<keyof CrosswsHooks, true>> = {
  upgrade: true,
  open: true,
  message: true,
  drain: true,
  close: true,
  error: true,
  ping: true,
  pong: true,
}

/** The names of the hooks. */
export const HOOK_NAMES = Object.keys(HOOKS) as readonly (keyof CrosswsHooks)[]

/**
 * Checks hooks that the caller gives.
 * @throws TypeError for what is not an object of hooks
 */
export function checkHooks(name: string, hooks: unknown): CrosswsHooks {
  if (typeof hooks !== 'object' || hooks === null) {
    throw new TypeError(`${name} must be an object of hooks, not ${showValue(hooks)}`)
  }
  checkOptionNames(name, hooks, HOOKS)
  return hooks
}

/** Where a framework leaves the hooks that its routing found, on the request or its context: a part of crossws's contract. */
const ON_REQUEST = Symbol.for('crossws.hooks')

const hooksOn = (holder: unknown): object | undefined =>
  (holder as { readonly [ON_REQUEST]?: object } | undefined)?.[ON_REQUEST]

/** What a framework answers where its routing found hooks. */
interface Routed {
  readonly crossws?: CrosswsHooks
  readonly headers?: ConstructorParameters<typeof Headers>[0]
}

/**
 * Finds the hooks of a request by the application that answers requests: as crossws's own plugin does for srvx and H3.
 * @param fetch the application
 */
export function resolveByFetch(fetch: (request: Request) => unknown): CrosswsResolve {
  return async (request) => {
    const answer: unknown = await fetch(request)
    const kept = hooksOn(request) ?? hooksOn(request.context)
    const { crossws, headers } = (answer ?? {}) as Routed
    const found = crossws ?? kept
    if (!(answer instanceof Response)) return headers === undefined ? found : withHeaders(found, headers)
    // 426 is the answer of a WebSocket route to a request that is not an upgrade.
    const isRefusal = !answer.ok && crossws === undefined && !(answer.status === 426 && kept !== undefined)
    if (isRefusal) return { upgrade: () => answer }
    answer.body?.cancel().catch(() => undefined)
    return found
  }
}

/** Hooks whose upgrade has further headers. */
function withHeaders(hooks: CrosswsHooks | undefined, headers: Routed['headers']): CrosswsHooks {
  return {
    ...hooks,
    async upgrade(request) {
      const result: unknown = await hooks?.upgrade?.(request)
      if (result instanceof Response) return result
      const merged = new Headers(headers)
      const own = (result ?? {}) as Routed
      for (const [name, value] of new Headers(own.headers)) merged.set(name, value)
      return { ...own, headers: merged }
    },
  }
}

/** The hooks of one connection. */
export class ConnectionHooks {
  private readonly shared: CrosswsHooks
  private own: CrosswsHooks = {}

  constructor(shared: CrosswsHooks) {
    this.shared = shared
  }

  /** Whether there is such a hook. */
  has(name: keyof CrosswsHooks): boolean {
    return this.shared[name] !== undefined || this.own[name] !== undefined
  }

  /**
   * Finds the hooks of the request, and has both decide.
   * @returns what the hooks `upgrade` return, that of the request's own first; a Response that one of them throws
   * @throws what they throw else, and what `resolve` throws
   */
  async upgrade(request: CrosswsRequest, resolve: CrosswsResolve | undefined): Promise<unknown> {
    try {
      const shared: unknown = await this.shared.upgrade?.(request)
      if (resolve !== undefined) this.own = (await resolve(request)) ?? {}
      return (await this.own.upgrade?.(request)) ?? shared
    } catch (error) {
      const thrown = (error as { readonly response?: unknown } | null | undefined)?.response ?? error
      if (thrown instanceof Response) return thrown
      throw error
    }
  }

  /** Calls both hooks of a name. @returns a promise of nothing where one of them returns a promise, else nothing */
  call(name: keyof CrosswsHooks, first: unknown, second?: unknown): Promise<void> | undefined {
    const shared = (this.shared[name] as Hook | undefined)?.(first, second)
    const own = (this.own[name] as Hook | undefined)?.(first, second)
    return isThenable(shared) || isThenable(own)
      ? Promise.all([shared, own]).then(() => undefined)
      : undefined
  }
}
