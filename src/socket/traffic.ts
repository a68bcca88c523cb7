/** What a connection has sent and received, without the messages that it has received. */
export interface Traffic {
  /** Messages taken to be sent. */
  readonly messagesSent: number
  /** Bytes on the transport, before TLS. */
  readonly bytesReceived: number
  /** Bytes on the transport, before TLS. */
  readonly bytesSent: number
}

/** What counts the traffic of a connection: its driver. */
export interface TrafficCounts {
  readonly flow: { readonly messagesSent: number }
  /** Has the counts of a socket of Node; another stream may have none. */
  readonly counter: object
}

/** What a connection has sent and received until now. */
export function trafficOf({ flow, counter }: TrafficCounts): Traffic {
  const { bytesRead = 0, bytesWritten = 0 } = counter as { bytesRead?: number; bytesWritten?: number }
  return { messagesSent: flow.messagesSent, bytesReceived: bytesRead, bytesSent: bytesWritten }
}
