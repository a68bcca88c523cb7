/** How the server under load defends itself: one configuration for all scenarios. Data alone; the docs show it as it is. */

const KIB = 1024

/** Options of `new WebSocketServer`. */
export const SERVER_OPTIONS = {
  limits: {
    maxMessageBytes: 64 * KIB,
    maxBufferedOutputBytes: 256 * KIB,
    maxQueuedBytes: 256 * KIB,
    maxHeaderBytes: 8 * KIB,
  },
  handshakeTimeoutMs: 5_000,
  sendTimeoutMs: 5_000,
  closeTimeoutMs: 2_000,
  maxConnections: 18_000,
  maxConnectionsPerAddress: 100,
  quotas: {
    messagesPerSecond: 20,
    messageBurst: 50,
    bytesPerSecond: 64 * KIB,
    controlFramesPerSecond: 2,
    controlFrameBurst: 10,
    onExceeded: 'close',
  },
  handshakeQuotas: { perSecond: 5_000, perSecondPerAddress: 5, burstPerAddress: 100 },
}

/** What the server sends to each member of the group `feed`. */
export const FEED = { messageBytes: 16 * KIB, perSecond: 30 }

/** Clients that behave well: they send a text of 32 bytes in each interval, and get it back. */
export const STEADY = { connections: 15_000, intervalSeconds: 5, perAddress: 60, perSecond: 3_000 }
/** Those whose times are measured, in a process of their own. */
export const PROBE = { connections: 100, intervalSeconds: 0.1 }

/** Addresses of this machine: the probe, the steady clients and the attackers count apart at the server. */
export const ADDRESSES = { steady: '127.1.0.1', probe: '127.2.0.1', attackers: '127.3.0.1' }

/** p99 under a flood, of the usual quiet one. */
export const LATENCY_FACTOR = 10
/** A flood of connections that come and go from so many addresses. */
export const ATTACKER_ADDRESSES = 8
