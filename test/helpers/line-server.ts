/** A server whose one connection comes by a {@link Line}: everything is real but the system. */
import { Extensions, type Extension } from '../../src/extension/extension.js'
import type { MessageCodec } from '../../src/extension/message-codec.js'
import { HandshakeError } from '../../src/errors.js'
import { HeaderFields } from '../../src/handshake/header-fields.js'
import { readUpgradeRequest, type UpgradeRequest } from '../../src/handshake/server-handshake.js'
import type { ServerOptions } from '../../src/server/options.js'
import type { ServerCore } from '../../src/server/server-core.js'
import type { ServiceFactory } from '../../src/server/server-service.js'
import { Upgrade } from '../../src/server/upgrade.js'
import { coreOfServer, WebSocketServer } from '../../src/server/websocket-server.js'
import { monotonicNow } from '../../src/transport/timer-wheel.js'
import type { Transport } from '../../src/transport/transport.js'
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

/** An upgrade whose connection goes over the line. */
class LineUpgrade extends Upgrade {
  readonly remoteAddress = REMOTE_ADDRESS
  readonly secure = false
  readonly certificate = undefined
  readonly raw = undefined
  protected readonly isClosed = false

  constructor(
    core: ServerCore,
    private readonly line: Line,
    private readonly early: Uint8Array,
  ) {
    super(core, '/', monotonicNow())
  }

  destroy(): void {
    // The line ends by itself.
  }

  protected takeTurn(): void {
    this.turnCame()
  }

  protected watch(): void {
    throw new Error('the upgrade was not decided at once')
  }

  protected writeAccept(): Transport {
    return this.line.transport
  }

  protected takeEarlyData(): Uint8Array {
    return this.early
  }

  protected writeRejection(): void {
    throw new Error('the upgrade was rejected')
  }
}

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
 * @param early bytes that the peer sent together with its handshake
 */
export function serveLine(
  line: Line,
  makeHandlers: ServiceFactory,
  options: ServerOptions = {},
  codec: MessageCodec | null = null,
  early = new Uint8Array(0),
): WebSocketServer {
  const server = new WebSocketServer({ ...options, perMessageDeflate: codec !== null })
  server.route('/', makeHandlers)
  const core: ServerCore = coreOfServer(server)
  if (codec !== null) {
    ;(core.options as { extensions: Extensions }).extensions = new Extensions([extensionOf(codec)])
  }
  new LineUpgrade(core, line, early).start(upgradeRequest(codec !== null))
  return server
}
