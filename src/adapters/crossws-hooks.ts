/** How crossws's hooks are found and called: those of the adapter, and those that `resolve` finds for a request. */
import { checkOptionNames, isThenable, showValue } from '../check.js'
import {
  isPlain,
  optionalWebHeaders,
  readUpgrade,
  showOfClass,
  type UpgradeAnswer,
} from './crossws-answers.js'
import { isResponse } from './framework-upgrades.js'
import type { CrosswsHooks, CrosswsPeer, CrosswsRequest, CrosswsResolve } from './crossws-types.js'

/** A function of any hook. */
type Hook = (peer: CrosswsPeer, second?: unknown) => unknown

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
  return checkFunctions(hooks)
}

function checkFunctions(hooks: object): CrosswsHooks {
  for (const name of HOOK_NAMES) {
    const hook = (hooks as Readonly<Record<string, unknown>>)[name] ?? undefined
    if (hook !== undefined && typeof hook !== 'function') {
      throw new TypeError(`the hook ${name} must be a function, not ${showValue(hook)}`)
    }
  }
  return hooks
}

/**
 * Reads the hooks that were found for a request. They may have other names beside them, as the hooks of a class.
 * @param who found them, for the error
 * @throws TypeError for what is neither nothing nor an object of hooks: as no hooks it would accept the upgrade
 */
function readFound(who: string, found: unknown): CrosswsHooks {
  if (found === undefined || found === null) return {}
  const isObject = typeof found === 'object'
  if (isObject) {
    const isEmpty = isPlain(found) && Object.keys(found).length === 0
    if (isEmpty || HOOK_NAMES.some((name) => name in found)) return checkFunctions(found)
  }
  const shown = isObject && !Array.isArray(found) ? 'an object without any of them' : showValue(found)
  throw new TypeError(`${who} must give hooks (${HOOK_NAMES.join(', ')}) or nothing, not ${shown}`)
}

/** Where a framework leaves the hooks that its routing found, on the request or its context: a part of crossws's contract. */
const ON_REQUEST = Symbol.for('crossws.hooks')

const hooksOn = (holder: unknown): object | undefined =>
  (holder as { readonly [ON_REQUEST]?: object } | undefined)?.[ON_REQUEST]

/** What a framework answers where its routing found hooks. */
interface Routed {
  readonly crossws?: unknown
  readonly headers?: unknown
}

const ROUTED: Readonly<Record<keyof Routed, true>> = { crossws: true, headers: true }

/** @throws TypeError for what is neither nothing, nor a Response, nor an object of hooks and headers */
function readRouted(answer: unknown): Routed {
  if (answer === undefined || answer === null) return {}
  if (isResponse(answer)) return answer
  if (typeof answer !== 'object' || !isPlain(answer)) {
    throw new TypeError(
      `fetch must answer with nothing, a Response, or a plain object of crossws and headers, not ${showOfClass(answer)}`,
    )
  }
  checkOptionNames('what fetch answers', answer, ROUTED)
  return answer
}

/**
 * Finds the hooks of a request by the application that answers requests: as crossws's own plugin does for srvx and H3.
 * @param fetch the application
 */
export function resolveByFetch(fetch: (request: Request) => unknown): CrosswsResolve {
  return async (request) => {
    const answer: unknown = await fetch(request)
    const kept = hooksOn(request) ?? hooksOn(request.context) ?? undefined
    const { crossws, headers } = readRouted(answer)
    const own = crossws ?? undefined
    const found = readFound('fetch', own ?? kept)
    if (!isResponse(answer)) {
      const further = optionalWebHeaders('headers of what fetch answers', headers)
      return further === undefined ? found : withHeaders(found, further)
    }
    // 426 is the answer of a WebSocket route to a request that is not an upgrade.
    const isRefusal = !answer.ok && own === undefined && !(answer.status === 426 && kept !== undefined)
    if (isRefusal) return { upgrade: () => answer }
    answer.body?.cancel().catch(() => undefined)
    return found
  }
}

/** Hooks whose upgrade has further headers. */
function withHeaders(hooks: CrosswsHooks, headers: Headers): CrosswsHooks {
  return {
    ...hooks,
    async upgrade(request) {
      const result = readUpgrade(await hooks.upgrade?.(request))
      if (isResponse(result)) return result
      const merged = new Headers(headers)
      for (const [name, value] of result?.headers ?? []) merged.set(name, value)
      return { ...result, headers: merged }
    },
  }
}

/** Hears of a hook that failed where its caller hears of the other one of its name. */
export type FurtherFailure<Peer> = (name: keyof CrosswsHooks, peer: Peer, error: unknown) => void

/** The hooks of one connection. */
export class ConnectionHooks<Peer extends CrosswsPeer> {
  private readonly shared: CrosswsHooks
  private readonly onFurther: FurtherFailure<Peer>
  private own: CrosswsHooks = {}

  constructor(shared: CrosswsHooks, onFurther: FurtherFailure<Peer>) {
    this.shared = shared
    this.onFurther = onFurther
  }

  /** Whether there is such a hook. */
  has(name: keyof CrosswsHooks): boolean {
    return (this.shared[name] ?? this.own[name] ?? undefined) !== undefined
  }

  /**
   * Finds the hooks of the request, and has both decide.
   * @returns what the hooks `upgrade` return, that of the request's own first; a Response that one of them throws
   * @throws what they throw else, and what `resolve` throws; TypeError for what none of them may return
   */
  async upgrade(
    request: CrosswsRequest,
    resolve: CrosswsResolve | undefined,
  ): Promise<UpgradeAnswer | Response | undefined> {
    try {
      const shared = readUpgrade(await this.shared.upgrade?.(request))
      if (resolve !== undefined) this.own = readFound('resolve', await resolve(request))
      return readUpgrade(await this.own.upgrade?.(request)) ?? shared
    } catch (error) {
      const thrown = (error as { readonly response?: unknown } | null | undefined)?.response ?? error
      if (isResponse(thrown)) return thrown
      throw error
    }
  }

  /**
   * Calls both hooks of a name.
   * @returns a promise of nothing where there are two, or the one returns a promise; else nothing
   * @throws what a hook throws, and the promise rejects likewise; where both fail it is the first
   */
  call(
    name: Exclude<keyof CrosswsHooks, 'upgrade'>,
    peer: Peer,
    second?: unknown,
  ): Promise<void> | undefined {
    if ((this.own[name] ?? undefined) === undefined) return callHook(this.shared, name, peer, second)
    if ((this.shared[name] ?? undefined) === undefined) return callHook(this.own, name, peer, second)
    return this.callBoth(name, peer, second)
  }

  /** Neither waits for the other; the first failure is thrown, and another one is told. */
  private async callBoth(name: keyof CrosswsHooks, peer: Peer, second: unknown): Promise<void> {
    let hasFailed = false
    const call = async (hooks: CrosswsHooks): Promise<void> => {
      try {
        await callHook(hooks, name, peer, second)
      } catch (error) {
        if (hasFailed) this.onFurther(name, peer, error)
        else {
          hasFailed = true
          throw error
        }
      }
    }
    await Promise.all([call(this.shared), call(this.own)])
  }
}

/** @returns a promise of nothing where the hook returns a promise, else nothing */
function callHook(
  hooks: CrosswsHooks,
  name: keyof CrosswsHooks,
  peer: CrosswsPeer,
  second: unknown,
): Promise<void> | undefined {
  const result = (hooks[name] as Hook | undefined)?.(peer, second)
  return isThenable(result) ? Promise.resolve(result).then(() => undefined) : undefined
}
