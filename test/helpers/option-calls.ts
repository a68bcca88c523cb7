import { Agent } from 'node:http'
import path from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import {
  accept,
  clients,
  connect,
  PreparedMessage,
  WebSocketServer,
  type ClientSocket,
  type ServerSocket,
} from 'hawser'
import { BackplaneRelay, memoryBackplane, workerBackplane } from 'hawser/backplane'
import { Connection } from 'hawser/connection'
import { resolveDeflateOptions } from 'hawser/deflate'
import { serveDirectory, serveEndpoint } from 'hawser/endpoints'
import { FrameParser } from 'hawser/frame'
import {
  createKey,
  formatRejection,
  formatUpgradeRequest,
  formatUpgradeResponse,
  HeadScanner,
} from 'hawser/handshake'
import { router } from 'hawser/json'
import { memoryHistory } from 'hawser/recovery'
import { Hub } from '../../src/hub/hub.js'

/** The objects that the calls are made on. */
export interface World {
  readonly server: WebSocketServer
  readonly serverSocket: ServerSocket
  readonly client: ClientSocket
}

/** A public function that takes options. */
export interface OptionCall {
  /** The type of the options, by its name in src. */
  readonly type: string
  /** The function, for the title of the test. */
  readonly name: string
  /** Options that it needs. */
  readonly needs?: object
  call(options: never, world: World): unknown
  /** Options that are wrong, and what the error says of each. */
  readonly wrong: readonly (readonly [options: object, kind: ErrorConstructor, message: string])[]
}

const url = 'ws://localhost:1'
const proxy = { url: 'http://localhost:1' }
const noop = (): void => undefined
const directory = path.join(__dirname, '../../examples')
const compress: OptionCall['wrong'] = [
  [{ compress: 'no' }, TypeError, 'compress must be true or false, not "no"'],
]
const wait: OptionCall['wrong'] = [
  [{ timeoutMs: '5' }, TypeError, 'timeoutMs must be a number from 0 to Infinity, not "5"'],
  [{ timeoutMs: -1 }, RangeError, 'timeoutMs must be a number from 0 to Infinity, not -1'],
  [{ signal: {} }, TypeError, 'signal must be an AbortSignal, not an object'],
]
const fanOut: OptionCall['wrong'] = [
  ...compress,
  [{ filter: true }, TypeError, 'filter must be a function, not true'],
  [{ except: 'ada' }, TypeError, 'except must be a connection, or an array or a set of them, not "ada"'],
]
const queued: OptionCall['wrong'] = [
  [{ maxQueuedBytes: '1' }, TypeError, 'maxQueuedBytes must be a number from 1024 to Infinity, not "1"'],
  [{ maxQueuedBytes: 1 }, RangeError, 'maxQueuedBytes must be a number from 1024 to Infinity, not 1'],
]
const deflate: OptionCall['wrong'] = [
  [{ level: 'best' }, TypeError, 'perMessageDeflate.level must be an integer from -1 to 9, not "best"'],
  [{ memLevel: 10 }, RangeError, 'perMessageDeflate.memLevel must be an integer from 1 to 9, not 10'],
]
const limits: OptionCall['wrong'] = [
  [
    { maxFrameBytes: true },
    TypeError,
    'limits.maxFrameBytes must be an integer from 0 to Infinity, not true',
  ],
  [
    { maxHeaderBytes: 63 },
    RangeError,
    'limits.maxHeaderBytes must be an integer from 64 to Infinity, not 63',
  ],
]

const quotas = (name: string): OptionCall['wrong'] => [
  [
    { messagesPerSecond: 0 },
    RangeError,
    `${name}.messagesPerSecond must be a number from 0.001 to Infinity, not 0`,
  ],
  [
    { bytesPerSecond: '1' },
    TypeError,
    `${name}.bytesPerSecond must be a number from 0.001 to Infinity, not "1"`,
  ],
  [
    { messagesPerSecond: 1, messageBurst: 1.5 },
    RangeError,
    `${name}.messageBurst must be an integer from 1 to 9007199254740991, not 1.5`,
  ],
  [
    { controlFrameBurst: 5 },
    TypeError,
    `${name}.controlFrameBurst needs ${name}.controlFramesPerSecond, which is off`,
  ],
  [
    { onExceeded: 'allow' },
    TypeError,
    `${name}.onExceeded must be 'close', 'pause', 'drop' or a function, not "allow"`,
  ],
  [
    { onExceeded: 'pause', messagesPerSecond: false },
    TypeError,
    `${name}.onExceeded needs ${name}.messagesPerSecond, ${name}.bytesPerSecond or ${name}.controlFramesPerSecond, which are off`,
  ],
]

const request = {
  ...{ target: '/', path: '/', search: '', host: 'localhost', key: createKey() },
  ...{ protocols: [], extensions: [], origin: undefined },
}

/** Every public function that takes options. */
export const OPTION_CALLS: readonly OptionCall[] = [
  {
    type: 'ServerOptions',
    name: 'new WebSocketServer',
    call: (options) => new WebSocketServer(options),
    wrong: [
      [{ keepRequest: 1 }, TypeError, 'keepRequest must be true or false, not 1'],
      [{ maxConnections: 0 }, RangeError, 'maxConnections must be an integer from 1 to Infinity, not 0'],
      [{ onError: 'log' }, TypeError, 'onError must be a function, not "log"'],
      [{ tls: 'cert.pem' }, TypeError, 'tls must be an object of node:tls options, not "cert.pem"'],
      [{ presenceTtlMs: 1 }, RangeError, 'presenceTtlMs must be a number from 10 to 2147483647, not 1'],
      [
        { forwardedHeader: 'Forwarded' },
        TypeError,
        'forwardedHeader needs trustedProxies, which names no proxy',
      ],
      [
        { forwardedHeader: 'X-Forwarded-For', trustedProxies: [] },
        TypeError,
        'forwardedHeader needs trustedProxies, which names no proxy',
      ],
    ],
  },
  {
    type: 'LimitOptions',
    name: 'new WebSocketServer({ limits })',
    call: (options) => new WebSocketServer({ limits: options }),
    wrong: limits,
  },
  {
    type: 'HubLimitOptions',
    name: 'new WebSocketServer({ hubLimits })',
    call: (options) => new WebSocketServer({ hubLimits: options }),
    wrong: [
      [
        { maxNameLength: 0 },
        RangeError,
        'hubLimits.maxNameLength must be an integer from 1 to Infinity, not 0',
      ],
    ],
  },
  {
    type: 'QuotaOptions',
    name: 'new WebSocketServer({ quotas })',
    call: (options) => new WebSocketServer({ quotas: options }),
    wrong: quotas('quotas'),
  },
  {
    type: 'QuotaOptions',
    name: 'server.route with quotas',
    call: (options) => new WebSocketServer().route('/', { quotas: options }),
    wrong: quotas('service.quotas'),
  },
  {
    type: 'HandshakeQuotaOptions',
    name: 'new WebSocketServer({ handshakeQuotas })',
    call: (options) => new WebSocketServer({ handshakeQuotas: options }),
    wrong: [
      [
        { perSecond: 0 },
        RangeError,
        'handshakeQuotas.perSecond must be a number from 0.001 to Infinity, not 0',
      ],
      [
        { perSecondPerAddress: '1' },
        TypeError,
        'handshakeQuotas.perSecondPerAddress must be a number from 0.001 to Infinity, not "1"',
      ],
      [{ burst: 5 }, TypeError, 'handshakeQuotas.burst needs handshakeQuotas.perSecond, which is off'],
    ],
  },
  {
    type: 'RecoveryOptions',
    name: 'new WebSocketServer({ recovery })',
    needs: { history: memoryHistory(), groups: ['room:*'] },
    call: (options) => new WebSocketServer({ recovery: options }),
    wrong: [
      [{ maxMessages: 0 }, RangeError, 'recovery.maxMessages must be an integer from 1 to Infinity, not 0'],
      [{ maxAgeMs: '1' }, TypeError, 'recovery.maxAgeMs must be a number from 1 to Infinity, not "1"'],
      [
        { checkIntervalMs: 0 },
        RangeError,
        'recovery.checkIntervalMs must be a number from 1 to 2147483647, not 0',
      ],
      [
        { historyTimeoutMs: NaN },
        RangeError,
        'recovery.historyTimeoutMs must be a number from 1 to 2147483647, not NaN',
      ],
      [
        { maxConcurrentReads: 0 },
        RangeError,
        'recovery.maxConcurrentReads must be an integer from 1 to Infinity, not 0',
      ],
      [
        { maxPendingBytes: 0.5 },
        RangeError,
        'recovery.maxPendingBytes must be an integer from 1 to Infinity, not 0.5',
      ],
    ],
  },
  {
    type: 'MemoryHistoryOptions',
    name: 'memoryHistory',
    call: (options) => memoryHistory(options),
    wrong: [
      [{ maxGroups: 0 }, RangeError, 'maxGroups must be an integer from 1 to Infinity, not 0'],
      [{ maxBytes: '1' }, TypeError, 'maxBytes must be an integer from 1 to Infinity, not "1"'],
    ],
  },
  {
    type: 'PublishOptions',
    name: 'group.publish',
    call: (options, { server }) => server.group('dogs').publish('wuff', options),
    wrong: compress,
  },
  {
    type: 'PerMessageDeflateOptions',
    name: 'new WebSocketServer({ perMessageDeflate })',
    call: (options) => new WebSocketServer({ perMessageDeflate: options }),
    wrong: deflate,
  },
  {
    type: 'PerMessageDeflateOptions',
    name: 'resolveDeflateOptions',
    call: (options) => resolveDeflateOptions(options, 'client'),
    wrong: deflate,
  },
  {
    type: 'ListenOptions',
    name: 'server.listen',
    call: (options, { server }) => server.listen(options),
    wrong: [
      [{ reusePort: 1 }, TypeError, 'reusePort must be true or false, not 1'],
      [{ port: 65_536 }, RangeError, 'port must be an integer from 0 to 65535, not 65536'],
      [{ port: '8080' }, TypeError, 'port must be an integer from 0 to 65535, not "8080"'],
      [{ host: 5 }, TypeError, 'host must be a string, not 5'],
    ],
  },
  {
    type: 'CloseOptions',
    name: 'server.close',
    call: (options, { server }) => server.close(options),
    wrong: [
      [{ code: '1000' }, TypeError, 'code must be an integer from 0 to 65535, not "1000"'],
      [{ code: 999 }, RangeError, 'close code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999'],
      [{ reason: 5 }, TypeError, 'reason must be a string, not 5'],
      [{ timeoutMs: -1 }, RangeError, 'timeoutMs must be a number from 0 to Infinity, not -1'],
      [{ spreadMs: '1' }, TypeError, 'spreadMs must be a number from 0 to 86400000, not "1"'],
      [{ spreadMs: -1 }, RangeError, 'spreadMs must be a number from 0 to 86400000, not -1'],
      [{ spreadMs: NaN }, RangeError, 'spreadMs must be a number from 0 to 86400000, not NaN'],
      [{ spreadMs: Infinity }, RangeError, 'spreadMs must be a number from 0 to 86400000, not Infinity'],
      [{ retryAfterMs: -1 }, RangeError, 'retryAfterMs must be a number from 0 to 86400000, not -1'],
      [
        { retryAfterMs: 86_400_001 },
        RangeError,
        'retryAfterMs must be a number from 0 to 86400000, not 86400001',
      ],
      [{ keepPort: 1 }, TypeError, 'keepPort must be true or false, not 1'],
      [
        { reason: 'x'.repeat(106), spreadMs: 1 },
        RangeError,
        'reason must be at most 105 bytes of UTF-8 with spreadMs, not 106: the time when to come back follows it',
      ],
    ],
  },
  {
    type: 'AcceptOptions',
    name: 'accept',
    call: (options) => accept(options),
    wrong: [
      [{ protocol: 5 }, TypeError, 'protocol must be a string, not 5'],
      [{ headers: 'a: b' }, TypeError, 'headers must be an object, or pairs of name and value, not a string'],
    ],
  },
  {
    type: 'ConnectOptions',
    name: 'connect',
    call: (options) => connect(url, options),
    wrong: [
      [{ incoming: 'drop' }, TypeError, "incoming must be 'queue' or 'discard', not \"drop\""],
      [
        { handshakeTimeoutMs: 0 },
        RangeError,
        'handshakeTimeoutMs must be a number from 1 to Infinity, not 0',
      ],
      [{ origin: 5 }, TypeError, 'origin must be a string, not 5'],
      [{ signal: 5 }, TypeError, 'signal must be an AbortSignal, not 5'],
      [
        { headers: 'a: b' },
        TypeError,
        'headers must be an object, pairs of name and value, or a function, not a string',
      ],
      [{ handlers: 5 }, TypeError, 'handlers must be an object with handlers, not 5'],
      [{ protocols: 5 }, TypeError, 'protocols must be an array of names, not 5'],
      [{ redirects: true }, TypeError, 'redirects must be an integer from 0 to 20, not true'],
      [{ redirects: 21 }, RangeError, 'redirects must be an integer from 0 to 20, not 21'],
      [{ proxy: 5 }, TypeError, "proxy must be a URL, an object with a url, or 'env', not 5"],
      [{ proxy: 'p:1' }, SyntaxError, 'proxy must be a URL that starts with http:// or https://, not "p:1"'],
      [
        { proxy: 'http://a:b@p/x' },
        SyntaxError,
        'proxy must have no path, query or fragment, not "http://***@p/x"',
      ],
      [
        { proxy: 'http://%ff:b@p' },
        SyntaxError,
        'proxy must have credentials that are percent-encoded UTF-8',
      ],
      [
        { proxy: 'http://a:b#c@p/' },
        SyntaxError,
        'proxy must be a URL that starts with http:// or https://, not "http://***"',
      ],
      [
        { proxy: 'http://p/?token=b' },
        SyntaxError,
        'proxy must have no path, query or fragment, not "http://p/?***"',
      ],
      [{ proxy: {} }, TypeError, 'proxy.url must be a string or a URL, not undefined'],
      [{ proxy: { ...proxy, uri: 5 } }, TypeError, 'proxy has no option "uri"; there are url, headers, tls'],
      [{ proxy: { url: 'socks5://a:b@c' } }, SyntaxError, 'proxy.url must be a URL that starts with http://'],
      [
        { proxy: { ...proxy, headers: 5 } },
        TypeError,
        'headers must be an object or pairs of name and value',
      ],
      [{ proxy: { ...proxy, headers: { Host: 'a' } } }, TypeError, 'the header "Host" cannot be set'],
      [
        { proxy: { ...proxy, headers: { A: 'a\r\nb' } } },
        TypeError,
        'the value of the header "A" must be latin1',
      ],
      [
        { proxy: { ...proxy, tls: 'pem' } },
        TypeError,
        'proxy.tls must be an object of node:tls options, not "pem"',
      ],
      [{ agent: {} }, TypeError, 'agent must be an Agent of node:http, not an object'],
      [{ agent: new Agent(), proxy: 'env' }, TypeError, 'agent and proxy must not be given both'],
      [{ lookup: 'dns' }, TypeError, 'lookup must be a function, not "dns"'],
      [{ localAddress: 'eth0' }, TypeError, 'localAddress must be an IP address, not "eth0"'],
      [{ family: 5 }, TypeError, 'family must be 0, 4 or 6, not 5'],
    ],
  },
  {
    type: 'ClientsConnectOptions',
    name: 'clients.connect',
    needs: { handler: {} },
    call: (options) => clients.connect(url, options),
    wrong: [
      [{ handler: 5 }, TypeError, 'handler must be an object with handlers, or the path'],
      [{ handler: { onMesage: noop } }, TypeError, 'handler has no handler named "onMesage"'],
      [{ incoming: 'drop' }, TypeError, "incoming must be 'queue' or 'discard', not \"drop\""],
      [{ handler: { onMessage: noop }, incoming: 'discard' }, TypeError, "incoming must not be 'discard'"],
      [{ family: 5 }, TypeError, 'family must be 0, 4 or 6, not 5'],
    ],
  },
  {
    type: 'LimitOptions',
    name: 'connect with { limits }',
    call: (options) => connect(url, { limits: options }),
    wrong: limits,
  },
  {
    type: 'ReconnectOptions',
    name: 'connect with { reconnect }',
    call: (options) => connect(url, { reconnect: options }),
    wrong: [
      [{ jitter: 2 }, RangeError, 'reconnect.jitter must be a number from 0 to 1, not 2'],
      [{ factor: 0.5 }, RangeError, 'reconnect.factor must be a number from 1 to 1000, not 0.5'],
      [{ maxAttempts: 0 }, RangeError, 'reconnect.maxAttempts must be an integer from 1 to Infinity, not 0'],
      [{ retryFirst: 1 }, TypeError, 'reconnect.retryFirst must be true or false, not 1'],
      [{ onGivenUp: 1 }, TypeError, 'reconnect.onGivenUp must be a function, not 1'],
      [
        { minDelayMs: 2, maxDelayMs: 1 },
        RangeError,
        'reconnect.minDelayMs must be at most reconnect.maxDelayMs, 1, not 2',
      ],
      [
        { whileReconnecting: 'hope' },
        TypeError,
        "reconnect.whileReconnecting must be 'wait' or 'fail', not \"hope\"",
      ],
    ],
  },
  {
    type: 'OutboxOptions',
    name: 'connect with { reconnect: { outbox } }',
    call: (options) => connect(url, { reconnect: { outbox: options } }),
    wrong: [
      [
        { maxMessages: 0 },
        RangeError,
        'reconnect.outbox.maxMessages must be an integer from 1 to Infinity, not 0',
      ],
      [
        { maxBytes: '1' },
        TypeError,
        'reconnect.outbox.maxBytes must be an integer from 1 to Infinity, not "1"',
      ],
      [{ resend: 1 }, TypeError, 'reconnect.outbox.resend must be true or false, not 1'],
    ],
  },
  { type: 'SendOptions', name: 'socket.send', call: (o, { client }) => client.send('x', o), wrong: compress },
  {
    type: 'SendOptions',
    name: 'socket.sendJson',
    call: (options, { serverSocket }) => serverSocket.sendJson(1, options),
    wrong: compress,
  },
  {
    type: 'SendOptions',
    name: 'new PreparedMessage',
    call: (options) => new PreparedMessage('x', options),
    wrong: compress,
  },
  { type: 'WaitOptions', name: 'socket.drained', call: (o, { client }) => client.drained(o), wrong: wait },
  {
    type: 'WriteOptions',
    name: 'socket.write',
    call: (o, { client }) => client.write('x', o),
    wrong: [...wait, ...compress],
  },
  { type: 'WaitOptions', name: 'socket.receive', call: (o, { client }) => client.receive(o), wrong: wait },
  { type: 'WaitOptions', name: 'socket.messages', call: (o, { client }) => client.messages(o), wrong: wait },
  {
    type: 'WaitOptions',
    name: 'socket.close',
    call: (o, { client }) => client.close(1000, '', o),
    wrong: wait,
  },
  {
    type: 'FanOutOptions',
    name: 'server.broadcast',
    call: (options, { server }) => server.broadcast('x', options),
    wrong: fanOut,
  },
  {
    type: 'FanOutOptions',
    name: 'route.broadcast',
    call: (options, { server }) => server.routes()[0]?.broadcast('x', options),
    wrong: fanOut,
  },
  {
    type: 'FanOutOptions',
    name: 'group.send',
    call: (options, { server }) => server.group('dogs').send('x', options),
    wrong: fanOut,
  },
  {
    type: 'SetOptions',
    name: 'connections.set',
    call: (options, { server, serverSocket }) => server.connections.set('ada', serverSocket, options),
    wrong: [
      [
        { onConflict: 'throw' },
        TypeError,
        "onConflict must be 'replace', 'reject' or 'closePrevious', not \"throw\"",
      ],
    ],
  },
  {
    type: 'DeliverOptions',
    name: 'connections.deliver',
    call: (options, { server }) => server.connections.deliver('nobody', 'x', options),
    wrong: [
      [{ timeoutMs: '5' }, TypeError, 'timeoutMs must be a number from 0 to 2147483647, not "5"'],
      [{ timeoutMs: -1 }, RangeError, 'timeoutMs must be a number from 0 to 2147483647, not -1'],
    ],
  },
  { type: 'BackplaneOptions', name: 'new BackplaneRelay', call: (o) => new BackplaneRelay(o), wrong: queued },
  {
    type: 'BackplaneOptions',
    name: 'memoryBackplane',
    call: (options) => memoryBackplane(new BackplaneRelay(), options),
    wrong: queued,
  },
  {
    type: 'BackplaneOptions',
    name: 'workerBackplane',
    call: (options) => workerBackplane(new MessageChannel().port1, options),
    wrong: queued,
  },
  {
    type: 'RouterOptions',
    name: 'router',
    call: (options) => router('type', { a: noop }, options),
    wrong: [[{ onFailure: 5 }, TypeError, 'onFailure must be a function, not 5']],
  },
  {
    type: 'CheckedRouterOptions',
    name: 'router with a schema',
    call: (options) => router('type', { a: noop }, options),
    wrong: [[{ schema: 5 }, TypeError, 'schema must']],
  },
  {
    type: 'EndpointOptions',
    name: 'serveEndpoint',
    call: (options, { server }) => serveEndpoint(server, 'a', {}, options),
    wrong: [
      [{ description: 5 }, TypeError, 'description must be a string, not 5'],
      [{ prefix: '/service' }, TypeError, 'prefix must be letters, digits'],
    ],
  },
  {
    type: 'DirectoryOptions',
    name: 'serveDirectory',
    call: (options, { server }) => serveDirectory(server, directory, options),
    wrong: [
      [{ onError: 5 }, TypeError, 'onError must be a function, not 5'],
      [{ prefix: 'service/' }, TypeError, 'prefix must be letters, digits'],
    ],
  },
  {
    type: 'ConnectionOptions',
    name: 'new Connection',
    needs: { role: 'server' },
    call: (options) => new Connection(options),
    wrong: [
      [{ role: 'peer' }, TypeError, "role must be 'client' or 'server', not \"peer\""],
      [{ now: NaN }, RangeError, 'now must be a number from -Infinity to Infinity, not NaN'],
      [{ autoPong: 1 }, TypeError, 'autoPong must be true or false, not 1'],
    ],
  },
  {
    type: 'FrameParserOptions',
    name: 'new FrameParser',
    needs: { role: 'server' },
    call: (options) => new FrameParser(options),
    wrong: [
      [{ role: undefined }, TypeError, "role must be 'client' or 'server', not undefined"],
      [{ maxFrameBytes: 0.5 }, RangeError, 'maxFrameBytes must be an integer from 0 to Infinity, not 0.5'],
    ],
  },
  {
    type: 'HeadScannerOptions',
    name: 'new HeadScanner',
    call: (options) => new HeadScanner('request', options),
    wrong: [
      [{ maxHeaderBytes: 63 }, RangeError, 'maxHeaderBytes must be an integer from 64 to Infinity, not 63'],
      [{ maxHeaderCount: '9' }, TypeError, 'maxHeaderCount must be an integer from 1 to Infinity, not "9"'],
    ],
  },
  {
    type: 'UpgradeRequestOptions',
    name: 'formatUpgradeRequest',
    needs: { target: '/', host: 'localhost', key: createKey() },
    call: (options) => formatUpgradeRequest(options),
    wrong: [[{ key: 'short' }, TypeError, 'key must be 16 bytes in base64, not "short"']],
  },
  {
    type: 'UpgradeChoice',
    name: 'formatUpgradeResponse',
    call: (options) => formatUpgradeResponse(request as never, options),
    wrong: [[{ protocol: 'chat' }, TypeError, 'protocol must be one that the client offered, not "chat"']],
  },
  {
    type: 'RejectionOptions',
    name: 'formatRejection',
    call: (options) => formatRejection(404, options),
    wrong: [[{ body: 5 }, TypeError, 'body must be a string or a Uint8Array, not 5']],
  },
  {
    type: 'HubOptions',
    name: 'new Hub',
    call: (options) => new Hub(options),
    wrong: [[{ limits: 5 }, TypeError, 'hubLimits must be an object, not 5']],
  },
]
