import type { BackplaneMessages } from './brokers/broker-link.js'
import type { ClientMessages } from './client/diagnostics.js'
import type { ServerMessages } from './server/server-messages.js'

/** What Hawser publishes to channels of `node:diagnostics_channel`: the message of each channel, by its name. */
export interface DiagnosticsMessages extends ServerMessages, ClientMessages, BackplaneMessages {}
