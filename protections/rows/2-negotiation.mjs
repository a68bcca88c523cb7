/** Negotiation, where even the best implementations fail. */

const UNIT = 'test/unit/deflate/negotiation.test.ts'
const CODES = 'test/unit/frame/close-code.test.ts'
const EVERY_CODE = 'a code that must not be sent is a violation that names it, for all 16-bit codes'

export default {
  list: 'Negotiation',
  rows: [
    {
      row: 'a server that leaves out server_no_context_takeover fails a client with strictNegotiation',
      test: [UNIT, '%s to an offer of %j fails under strictNegotiation', 'serverNoContextTakeover'],
      file: 'src/deflate/negotiation.ts',
      from: 'if (config.serverNoContextTakeover && !answer.serverNoContextTakeover) {',
      to: 'if (config.serverNoContextTakeover && !answer.serverNoContextTakeover && answer.clientNoContextTakeover) {',
    },
    {
      row: 'what such a server sends is inflated with a context without strictNegotiation',
      test: [UNIT, '%s to an offer of %j is taken', 'serverNoContextTakeover'],
      file: 'src/deflate/negotiation.ts',
      from: '    serverNoContextTakeover: answer.serverNoContextTakeover,\n',
      to: '    serverNoContextTakeover: answer.serverNoContextTakeover || config.serverNoContextTakeover,\n',
    },
    {
      row: 'a server that leaves out server_max_window_bits fails a client with strictNegotiation',
      test: [UNIT, '%s to an offer of %j fails under strictNegotiation'],
      file: 'src/deflate/negotiation.ts',
      from: 'if (config.serverMaxWindowBits < MAX_WINDOW_BITS && serverBits === undefined) {',
      to: 'if (config.serverMaxWindowBits < 8 && serverBits === undefined) {',
    },
    {
      row: 'a server that answers a larger window than was offered fails a client with strictNegotiation',
      test: [UNIT, '%s to an offer of %j fails under strictNegotiation'],
      file: 'src/deflate/negotiation.ts',
      from: 'if (serverBits !== undefined && serverBits > config.serverMaxWindowBits) {',
      to: 'if (serverBits !== undefined && serverBits > MAX_WINDOW_BITS) {',
    },
    {
      row: 'what such a server sends is inflated with the window that it named, or 15, without strictNegotiation',
      test: [UNIT, '%s to an offer of %j is taken'],
      file: 'src/deflate/negotiation.ts',
      from: '    serverMaxWindowBits: answer.serverMaxWindowBits ?? MAX_WINDOW_BITS,\n',
      to: '    serverMaxWindowBits: Math.min(answer.serverMaxWindowBits ?? MAX_WINDOW_BITS, config.serverMaxWindowBits),\n',
    },
    {
      row: 'a server never answers a larger client_max_window_bits than the client offers',
      test: [UNIT, 'client_max_window_bits (7.1.2.2)'],
      file: 'src/deflate/negotiation.ts',
      from: "typeof offeredClientBits === 'number' ? Math.min(offeredClientBits, ownClientBits) : ownClientBits",
      to: "typeof offeredClientBits === 'number' ? ownClientBits : ownClientBits",
    },
    {
      row: 'an unknown parameter declines its offer alone, and the next offer is looked at',
      test: [
        'test/adversarial/server-hostile.test.ts',
        'declines an invalid offer and accepts the next one: permessage-deflate; %s',
        'deflate; unknown',
      ],
      file: 'src/deflate/negotiation.ts',
      from: "if (typeof received === 'string') continue",
      to: "if (typeof received === 'string') return null",
    },
    {
      row: 'a doubled parameter declines its offer',
      test: [UNIT, 'an offer that is passed over (7.1)'],
      file: 'src/deflate/negotiation.ts',
      from: '    if (seen.has(name)) return `${showValue(name)} stands twice`\n',
      to: '',
    },
    {
      row: 'an offer that cannot be accepted never fails the handshake with 400',
      test: [
        'test/adversarial/server-hostile.test.ts',
        'declines an invalid offer and accepts the next one: permessage-deflate; %s',
        'server_max_window_bits=7',
      ],
      file: 'src/server/upgrade.ts',
      from: '    const agreement = core.options.extensions.accept(request.extensions)\n',
      to:
        '    const agreement = core.options.extensions.accept(request.extensions)\n' +
        "    if (agreement === null && request.extensions.length > 0) throw new HandshakeError('HAWSER_INVALID_EXTENSION_HEADER')\n",
    },
    {
      row: 'Connection: keep-alive, Upgrade, and several Connection fields, are accepted',
      test: [
        'test/integration/server-upgrade.test.ts',
        'is not one with `Connection: keep-alive, Upgrade`, `upgrade: WebSocket` or several Connection fields',
      ],
      file: 'src/handshake/server-handshake.ts',
      from: "!listHas(headers.get('Connection') ?? '', 'upgrade')",
      to: "headers.get('Connection')?.toLowerCase() !== 'upgrade'",
    },
    {
      row: 'upgrade: WebSocket, in any case, is accepted',
      test: ['test/adversarial/handshake.test.ts', 'are accepted with the header upgrade: WebSocket'],
      file: 'src/handshake/server-handshake.ts',
      from: "!listHas(headers.get('Upgrade') ?? '', 'websocket')",
      to: "headers.get('Upgrade') !== 'websocket'",
    },
    {
      row: 'an extension that was never offered fails the client',
      test: ['test/unit/handshake/client-handshake.test.ts', 'refuses any choice if nothing was offered'],
      file: 'src/handshake/client-handshake.ts',
      from: 'if (!expected.delete(name)) return',
      to: 'if (expected.size > 0 && !expected.delete(name)) return',
    },
    {
      row: 'a subprotocol that was never offered fails the client',
      test: ['test/unit/handshake/client-handshake.test.ts', 'refuses any choice if nothing was offered'],
      file: 'src/handshake/client-handshake.ts',
      from: 'if (protocol !== undefined && !offered.protocols.includes(protocol)) {',
      to: 'if (protocol !== undefined && offered.protocols.length > 0 && !offered.protocols.includes(protocol)) {',
    },
    {
      row: 'the close codes 3000 to 4999 are accepted',
      test: [CODES, EVERY_CODE],
      file: 'src/frame/close-code.ts',
      from: '(code >= 3000 && code <= 4999)',
      to: '(code >= 4000 && code <= 4999)',
    },
    {
      row: 'the close codes 1004, 1005 and 1006 fail with 1002',
      test: [CODES, EVERY_CODE],
      file: 'src/frame/close-code.ts',
      from: '(code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)',
      to: '(code >= 1000 && code <= 1014)',
    },
    {
      row: 'the close codes 1015 and 1016 to 2999 fail with 1002',
      test: [CODES, EVERY_CODE],
      file: 'src/frame/close-code.ts',
      from: '(code >= 1007 && code <= 1014)',
      to: '(code >= 1007 && code <= 2999)',
    },
    {
      row: 'the close codes below 1000 fail with 1002',
      test: [CODES, EVERY_CODE],
      file: 'src/frame/close-code.ts',
      from: '(code >= 1000 && code <= 1003)',
      to: '(code >= 0 && code <= 1003)',
    },
    {
      row: 'the close codes from 5000 on fail with 1002',
      test: [CODES, EVERY_CODE],
      file: 'src/frame/close-code.ts',
      from: 'code <= 4999)',
      to: 'code <= 65_535)',
    },
  ],
}
