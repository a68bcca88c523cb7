import type { Server as HttpServer } from 'node:http'

/** A server of ours among the listeners for the upgrades of an HTTP server. */
export interface Claimant {
  /** Whether it has a route for this path. */
  claims(path: string): boolean
}

/** In the order in which they are told of an upgrade. It holds no settings, only who is there. */
const CLAIMANTS = new WeakMap<HttpServer, Set<Claimant>>()

export function joinPort(httpServer: HttpServer, claimant: Claimant): void {
  const claimants = CLAIMANTS.get(httpServer)
  if (claimants === undefined) CLAIMANTS.set(httpServer, new Set([claimant]))
  else claimants.add(claimant)
}

export function leavePort(httpServer: HttpServer, claimant: Claimant): void {
  CLAIMANTS.get(httpServer)?.delete(claimant)
}

/**
 * Who answers an upgrade that a claimant does not take: nobody of ours where somebody else listens, who may take it.
 * Else the last of ours, unless another of ours takes it.
 * @param path of the request; null: it is no handshake, and so nobody's
 * @returns whether this one is to answer
 */
export function isToAnswer(httpServer: HttpServer, claimant: Claimant, path: string | null): boolean {
  const claimants = [...(CLAIMANTS.get(httpServer) ?? [])]
  if (httpServer.listenerCount('upgrade') > claimants.length) return false
  if (claimants[claimants.length - 1] !== claimant) return false
  return path === null || !claimants.some((one) => one.claims(path))
}
