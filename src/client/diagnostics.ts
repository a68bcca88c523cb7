import { channel } from 'node:diagnostics_channel'
import type { CloseInfo } from '../connection/events.js'
import type { ClientSocket } from './client-socket.js'
import type { ReconnectCause } from './retry-rule.js'

/** What clients publish to channels of `node:diagnostics_channel`: the message of each channel, by its name. */
export interface ClientMessages {
  /** An attempt to connect is over, with the redirects that it followed. */
  readonly 'hawser:client:attempt': {
    /** Where it went, without credentials and query. */
    readonly url: string
    /** From its begin to the end of `onOpen`, or to the failure: in ms. */
    readonly durationMs: number
    /** Why it failed: what `connect` rejects with; null: the connection is open. */
    readonly error: Error | null
  }
  /** A connection is open: before `onOpen`. A client that reconnects has one after another. */
  readonly 'hawser:client:open': {
    /** The connection. */
    readonly socket: ClientSocket
  }
  /** A handler has returned, and its promise, if it returned one, is settled. */
  readonly 'hawser:client:handler': {
    /** The socket that the handler got. */
    readonly socket: ClientSocket
    /** The name of the handler, such as `onMessage`. */
    readonly handler: string
    /** From the call to the return or to the end of the promise: in ms. */
    readonly durationMs: number
    /** What the handler threw or rejected with; null: it did not fail. */
    readonly error: Error | null
  }
  /** A connection failed, or a handler of it. */
  readonly 'hawser:client:error': {
    /** The connection. */
    readonly socket: ClientSocket
    /** The violation of the peer, the error of the network, or what a handler threw. */
    readonly error: Error
  }
  /** A connection is over: before `onClose`. */
  readonly 'hawser:client:close': {
    /** The connection. */
    readonly socket: ClientSocket
    /** How it ended. */
    readonly info: CloseInfo
    /** Messages taken to be sent. */
    readonly messagesSent: number
    /** Bytes on the transport, frame headers included. */
    readonly bytesReceived: number
    /** Bytes on the transport, frame headers included. */
    readonly bytesSent: number
  }
  /** A client that reconnects waits for its next attempt: before `onReconnecting`. */
  readonly 'hawser:client:reconnecting': {
    /** The socket of all connections of the client. */
    readonly socket: ClientSocket
    /** 1 for the first attempt since a connection was good. */
    readonly attempt: number
    /** The time until the attempt: in ms. */
    readonly delayMs: number
    /** Why there is no connection. */
    readonly cause: ReconnectCause
  }
  /** A client that reconnects has a connection again: before `onReconnected`. */
  readonly 'hawser:client:reconnected': {
    /** The socket of all connections of the client. */
    readonly socket: ClientSocket
    /** How many attempts it took. */
    readonly attempt: number
    /** The URL of the connection. */
    readonly url: string
  }
  /** A client that reconnects gives up: before `onGivenUp`. */
  readonly 'hawser:client:given-up': {
    /** The socket of all connections of the client. */
    readonly socket: ClientSocket
    /** How many attempts there were since a connection was good. */
    readonly attempts: number
    /** Why there is no connection. */
    readonly cause: ReconnectCause
  }
  /** A client with recovery comes back to a group: before `onRecovered`. */
  readonly 'hawser:client:recovery': {
    /** The connection. */
    readonly socket: ClientSocket
    /** The name of the group. */
    readonly group: string
    /** Whether it gets all that it missed. */
    readonly recovered: boolean
    /** How many messages it missed, and gets now; only if `recovered` is true. */
    readonly count?: number
    /** Why something is missing; only if `recovered` is false. */
    readonly reason?: string
  }
}

/** What observers of a process may subscribe to. Nothing is made for a channel without a subscriber. */
export const CLIENT_CHANNELS = {
  attempt: channel('hawser:client:attempt'),
  open: channel('hawser:client:open'),
  handler: channel('hawser:client:handler'),
  error: channel('hawser:client:error'),
  close: channel('hawser:client:close'),
  reconnecting: channel('hawser:client:reconnecting'),
  reconnected: channel('hawser:client:reconnected'),
  givenUp: channel('hawser:client:given-up'),
  recovery: channel('hawser:client:recovery'),
} as const
