import type { HeaderPairs } from '../handshake/caller-headers.js'
import type { Params } from './path-matching.js'
import type { ServedRoute } from './server-core.js'
import { AcceptDecision } from './server-service.js'

/** The decision to accept an upgrade for a service that the routing of a framework found: made in `src/adapters` alone. */
export class RoutedDecision extends AcceptDecision<unknown> {
  readonly route: ServedRoute
  readonly params: Params

  constructor(
    route: ServedRoute,
    params: Params,
    { data, headers, protocol }: AcceptDecision<unknown>,
    further: HeaderPairs,
  ) {
    super(data, [...further, ...(headers ?? [])], protocol)
    this.route = route
    this.params = params
  }
}

/** The answer of a framework to a request that it does not upgrade, as its bytes are to leave: made in `src/adapters` alone. */
export class AnswerDecision {
  readonly response: Uint8Array

  /** @param response head and body; its head has `Connection: close` */
  constructor(response: Uint8Array) {
    this.response = response
  }
}

/** The application has taken the stream of the upgrade and answers there itself: made in `src/adapters` alone. */
export class LeftDecision {
  readonly isLeft = true
}
