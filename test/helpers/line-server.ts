/** A server whose one connection comes by a {@link Line}: everything is real but the system. */
import { Extensions, type Extension } from '../../src/extension/extension.js'
import type { MessageCodec } from '../../src/extension/message-codec.js'
import { HandshakeError } from '../../src/errors.js'
import { HeaderFields } from '../../src/handshake/header-fields.js'
import { readUpgradeRequest, type UpgradeRequest } from '../../src/handshake/server-handshake.js'
import type { Gate } from '../../src/server/gate.js'
import type { ServerOptions } from '../../src/server/options.js'
import type { RouteEntry } from '../../src/server/route.js'
import type { ServiceFactory } from '../../src/server/service.js'
import type { UpgradePeer } from '../../src/server/upgrade-peer.js'
import { WebSocketServer } from '../../src/server/websocket-server.js'
import { monotonicNow } from '../../src/transport/timer-wheel.js'
import type { Line } from './model-line.js'

/** The address of the peer, as the connection has it. */
export const REMOTE_ADDRESS = '192.0.2.1'

function upgradeRequest(isCompressing: boolean): UpgradeRequest {
  const request = readUpgradeRequest({
    method: 'GET',
    target: '/',
    httpVersion: '1.1',
    headers: HeaderFields.fromRawHeaders([
      ...['Host', 'example.org', 'Upgrade', 'websocket', 'Connection', 'Upgrade'],
      ...['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ...(isCompressing ? ['Sec-WebSocket-Extensions', 'permessage-deflate'] : []),
    ]),
  })
  if (request instanceof HandshakeError) throw request
  return request
}

/** An upgrade that was read, whose connection goes over the line. */
const upgradeBy = (line: Line): UpgradePeer => ({
  remoteAddress: REMOTE_ADDRESS,
  secure: false,
  certificate: undefined,
  raw: undefined,
  startedAt: monotonicNow(),
  isInTurn: true,
  awaitTurn: (_, done) => done(true),
  take: () => undefined,
  watch: () => undefined,
  accept: () => ({ transport: line.transport, early: new Uint8Array(0) }),
  reject: () => {
    throw new Error('the upgrade was rejected')
  },
  leave: () => undefined,
  whenGone: () => undefined,
  destroy: () => undefined,
})

/** permessage-deflate by name, with a codec that the test controls. */
function extensionOf(codec: MessageCodec): Extension {
  const agreement = { response: 'permessage-deflate', createCodec: () => codec }
  return {
    name: 'permessage-deflate',
    reservedBits: codec.reservedBits,
    offer: () => agreement.response,
    accept: () => agreement,
    verify: () => agreement,
  }
}

/**
 * Makes a server and opens the connection.
 * @param makeHandlers gets the connection before its `onOpen`
 * @param codec what the connection compresses with; null: nothing is compressed
 */
export function serveLine(
  line: Line,
  makeHandlers: ServiceFactory,
  options: ServerOptions = {},
  codec: MessageCodec | null = null,
): WebSocketServer {
  const server = new WebSocketServer({ ...options, perMessageDeflate: codec !== null })
  const entry: unknown = server.route('/', makeHandlers)
  const inside = server as unknown as {
    gate: Gate
    options: { extensions: Extensions }
  }
  if (codec !== null) inside.options.extensions = new Extensions([extensionOf(codec)])
  inside.gate.upgrade(upgradeRequest(codec !== null), '/', upgradeBy(line), entry as RouteEntry, null)
  return server
}
