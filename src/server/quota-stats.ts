/** What quotas did, for a route or a server, since it was made. */
export interface QuotaStats {
  /** Upgrades that got 503, because the server had too many in that time. */
  readonly handshakes: number
  /** Upgrades that got 429, because their address had too many in that time. */
  readonly handshakesOfAddress: number
  /** Connections that failed with 1008. */
  readonly closed: number
  /** How often a connection stopped reading. */
  readonly pauses: number
  /** Messages that were dropped; part of `messagesDropped`. */
  readonly droppedMessages: number
  /** Pings and pongs that no handler got. */
  readonly droppedControlFrames: number
  /** How often the application allowed what was above a quota. */
  readonly allowed: number
}

/** Counts of what quotas did. */
export type QuotaCounts = { -readonly [Name in keyof QuotaStats]: number }

export const createQuotaCounts = (): QuotaCounts => ({
  handshakes: 0,
  handshakesOfAddress: 0,
  closed: 0,
  pauses: 0,
  droppedMessages: 0,
  droppedControlFrames: 0,
  allowed: 0,
})
