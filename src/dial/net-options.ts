import type { LookupFunction } from 'node:net'

/** Options of node:net, for the connection to the server or to its proxy. */
export interface NetOptions {
  readonly lookup?: LookupFunction
  readonly localAddress?: string
  readonly family?: number
}
