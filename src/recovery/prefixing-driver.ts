import type { SendOptions } from '../connection/connection-options.js'
import { viewBytes, type MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'
import type { DeliveryOutcome } from '../socket/driver-owner.js'
import { SocketDriver } from '../socket/socket-driver.js'
import { publishedData } from './published-data.js'
import { encodePlain } from './wire.js'

/** Messages to many, with their prefix: made once for all connections with recovery. */
const prefixed = new WeakMap<PreparedMessage, PreparedMessage>()

function withPrefix(message: PreparedMessage): PreparedMessage {
  let found = prefixed.get(message)
  if (found === undefined) {
    found = new PreparedMessage(encodePlain(publishedData(message)), { compress: message.compress })
    prefixed.set(message, found)
  }
  return found
}

/** The driver of a connection with the subprotocol of recovery: what the application sends has its prefix. */
export class PrefixingDriver extends SocketDriver {
  override get sharesOutput(): boolean {
    return false
  }

  override send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    if (data instanceof PreparedMessage) return super.send(withPrefix(data), options)
    return super.send(encodePlain(typeof data === 'string' ? data : viewBytes('data', data)), options)
  }

  override deliver(message: PreparedMessage): DeliveryOutcome {
    return super.deliver(withPrefix(message))
  }

  /** Sends a published message, which has its header. */
  sendPublished(message: PreparedMessage): DeliveryOutcome {
    return super.deliver(message)
  }

  /** Sends the first messages of a connection, which are bounded by themselves. */
  sendFirst(texts: readonly string[]): void {
    for (const text of texts) this.connection.send(text)
    this.sent(texts.length)
  }

  /** Sends a control message. Where it is not admitted the connection fails, by any policy: the peer would misread what follows. */
  sendControl(text: string): void {
    if (this.admits()) {
      this.connection.send(text)
      this.sent(1)
    } else {
      this.failSlowPeer()
    }
  }
}
