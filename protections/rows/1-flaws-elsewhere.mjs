/** What went wrong in other implementations: each row names who had the flaw. */

export default {
  list: 'Flaws of other implementations',
  rows: [
    {
      row: 'a number as data is refused, and not taken for a length (ws, CVE-2016-10518)',
      test: ['test/adversarial/connection-outbound.test.ts', '%p is refused, and nothing is sent'],
      file: 'src/connection/message-data.ts',
      from: '  if (data instanceof Uint8Array) return data\n',
      to: "  if (data instanceof Uint8Array) return data\n  if (typeof data === 'number') return Buffer.allocUnsafe(data)\n",
    },
    {
      row: 'a typed array as data is sent as its own bytes, not as all of its memory (ws, CVE-2026-45736)',
      test: [
        'test/adversarial/connection-outbound.test.ts',
        '${role}: messages of %i bytes leave unchanged in every form',
      ],
      file: 'src/connection/message-data.ts',
      from: 'return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)',
      to: 'return new Uint8Array(data.buffer)',
    },
    {
      row: 'a typed array as a close reason is refused (ws, CVE-2026-45736)',
      test: [
        'test/adversarial/connection-outbound.test.ts',
        'bytes are refused as a close reason in every form',
      ],
      file: 'src/frame/close-code.ts',
      from: "  if (typeof reason !== 'string') {\n    throw",
      to: "  if (typeof reason !== 'string' && !ArrayBuffer.isView(reason)) {\n    throw",
    },
    {
      row: 'a message that is announced too large is refused by its header (ws, CVE-2016-10542)',
      test: [
        'test/adversarial/connection-limits.test.ts',
        '${role}: a frame above the limit with opcode %i is refused by its header alone',
      ],
      file: 'src/frame/frame-parser.ts',
      from: '    if (total > limit) {',
      to: '    if (total > limit && this.inMessage) {',
    },
    {
      row: 'a message that grows too large over its fragments is refused (ws, CVE-2016-10542)',
      test: [
        'test/adversarial/connection-limits.test.ts',
        '${role}: fragments above the limit are refused at the header that exceeds it',
      ],
      file: 'src/frame/frame-parser.ts',
      from: 'const total = this.inMessage ? this.messageBytes + length : length',
      to: 'const total = length',
    },
    {
      row: 'a name of Object.prototype in Sec-WebSocket-Extensions has no special meaning (ws 3.3.1)',
      test: ['test/adversarial/handshake.test.ts', 'have no special meaning: %s'],
      file: 'src/handshake/extension-header.ts',
      from: 'export function parseExtensionHeader(value: string): readonly ExtensionOffer[] | null {\n',
      to:
        'const seenBefore: Record<string, readonly ExtensionOffer[]> = {}\n\n' +
        'export function parseExtensionHeader(value: string): readonly ExtensionOffer[] | null {\n' +
        '  const before = seenBefore[value]\n  if (before !== undefined) return before\n',
      fails: 'throw',
      because: 'the flaw was an exception: a function of Object.prototype is taken for a list',
    },
    {
      row: 'the cost of a header value is linear (ws, CVE-2021-32640; websocket-extensions, CVE-2020-7662; Deno, CVE-2023-26103)',
      test: ['test/adversarial/handshake.test.ts', 'of Sec-WebSocket-Protocol: %s', 'spaces inside'],
      file: 'src/handshake/tokens.ts',
      from:
        '  while (start < end && isOwsCode(value.charCodeAt(start))) start++\n' +
        '  while (end > start && isOwsCode(value.charCodeAt(end - 1))) end--\n' +
        '  return value.slice(start, end)\n',
      to: "  return value.slice(start, end).replace(/^[ \\t]+|[ \\t]+$/g, '')\n",
    },
    {
      row: 'a head with more fields than are allowed is refused where Hawser reads it (ws, CVE-2024-37890)',
      test: [
        'test/integration/server-heads.test.ts',
        'accepts 250 fields, and refuses 257 with 431',
        'own by handle',
      ],
      file: 'src/handshake/http1.ts',
      from: 'if (this.#rawHeaders.length / 2 === this.#maxHeaderCount) {',
      to: 'if (this.#rawHeaders.length === this.#maxHeaderCount + 1) {',
    },
    {
      row: 'a head with more fields than node:http keeps, which drops the rest, is refused (ws, CVE-2024-37890)',
      test: [
        'test/integration/server-heads.test.ts',
        'refuses a head of 2,100 fields with %s at its end, which node:http would drop',
        'attach refuses',
      ],
      file: 'src/server/http-upgrade.ts',
      from: 'if (raw.rawHeaders.length / 2 > maxFieldsOf(raw)) {',
      to: 'if (raw.rawHeaders.length / 2 > 2000) {',
    },
    {
      row: 'a head without one of the required fields is refused (ws, CVE-2024-37890)',
      test: ['test/adversarial/handshake.test.ts', 'is refused without %s'],
      file: 'src/handshake/server-handshake.ts',
      from: 'if (host === undefined || !isHost(host))',
      to: 'if (host !== undefined && !isHost(host))',
    },
    {
      row: 'the heap that fragments fill follows their bytes (ws, CVE-2026-48779; undici, CVE-2026-12151)',
      test: [
        'test/adversarial/frame-memory.test.ts',
        'a million one-byte fragments hold at most four times their bytes',
      ],
      file: 'src/frame/message-assembler.ts',
      from: '  append(part: FramePart): ProtocolError | null {\n',
      to: '  readonly parts: FramePart[] = []\n  append(part: FramePart): ProtocolError | null {\n    this.parts.push(part)\n',
    },
    {
      row: 'the heap that empty continuation frames fill is bounded (ws, CVE-2026-62389; undici, CVE-2026-9675)',
      test: [
        'test/adversarial/frame-memory.test.ts',
        'a million empty continuation fragments cost no memory',
      ],
      file: 'src/frame/message-assembler.ts',
      from: '    const { byteLength } = part\n    if (byteLength === 0) return null\n',
      to: '    const { byteLength } = part\n    this.pieces.push(byteLength)\n    if (byteLength === 0) return null\n',
      also: [
        {
          file: 'src/frame/message-assembler.ts',
          from: '  private readonly validates: boolean\n',
          to: '  private readonly validates: boolean\n  private readonly pieces: number[] = []\n',
        },
      ],
    },
    {
      row: 'an honest message of 100,000 fragments is not cut by a counter (ws 8.21.0, undici)',
      test: [
        'test/adversarial/connection-limits.test.ts',
        'an honest message of 100,000 fragments is accepted',
      ],
      file: 'src/connection/receiver.ts',
      from: '  maxFragments = Infinity\n',
      to: '  maxFragments = 16_384\n',
    },
    {
      row: 'an inflate bomb is stopped at the limit (undici, CVE-2026-1526; faye 0.7.5; uWebSockets, CVE-2016-10544)',
      test: [
        'test/adversarial/deflate.test.ts',
        'a message of 1000 : 1 is stopped at the limit, synchronously and on the thread pool',
      ],
      file: 'src/deflate/inflater.ts',
      from: '    if (this.total > this.maxBytes) return messageTooBig(this.maxBytes)\n',
      to: '',
    },
    {
      row: 'the limit of a message acts while it inflates (websockets, CVE-2018-1000518)',
      test: ['test/adversarial/deflate.test.ts', 'a bomb holds no more memory than the limit and a chunk'],
      file: 'src/deflate/deflate-codec.ts',
      from: '    if (this.#peerBits !== 0) return this.#incomingContext().inflate(message, maxBytes)\n    return this.#factory.inflation.inflater.inflate(message, maxBytes, NO_HISTORY)\n',
      to:
        '    const most = 0x7fff_ffff\n    const result =\n      this.#peerBits !== 0\n        ? this.#incomingContext().inflate(message, most)\n' +
        '        : this.#factory.inflation.inflater.inflate(message, most, NO_HISTORY)\n' +
        "    return result.length > maxBytes ? new LimitError('HAWSER_MESSAGE_TOO_BIG', maxBytes, maxBytes + 1) : result\n",
      also: [
        {
          file: 'src/deflate/deflate-codec.ts',
          from: "import { InvalidStateError } from '../errors.js'",
          to: "import { InvalidStateError, LimitError } from '../errors.js'",
        },
      ],
    },
    {
      row: 'a bomb over many fragments is stopped as one in a single frame (undici, CVE-2026-1526)',
      test: [
        'test/adversarial/connection-limits.test.ts',
        '${how}: a bomb is refused, in one frame and in fragments',
      ],
      file: 'src/connection/receiver.ts',
      from: 'if (reservedBits !== 0) return this.decode(assembler.keep(bytes), isText, true, reservedBits)',
      to: 'if (reservedBits !== 0) return this.decodeAll(assembler.keep(bytes), isText, reservedBits)',
      also: [
        {
          file: 'src/connection/receiver.ts',
          from: '  /** @param isLasting whether the bytes are ours to keep */\n',
          to:
            '  private decodeAll(bytes: Buffer, isText: boolean, bits: number): MessageReceived | ProtocolError | null {\n' +
            '    const result = (this.codec as MessageCodec).decode(bytes, this, 0x7fff_ffff, true, bits)\n' +
            "    if (result !== 'later') return this.finishDecode(result, isText, false)\n" +
            "    this.decoding = isText ? 'text' : 'binary'\n    return null\n  }\n\n" +
            '  /** @param isLasting whether the bytes are ours to keep */\n',
        },
      ],
    },
    {
      row: 'a length whose top bit is set is refused (gorilla, CVE-2020-27813)',
      test: ['test/adversarial/frame-lengths.test.ts', 'SECURITY.md: 64-bit lengths'],
      file: 'src/frame/frame-parser.ts',
      from: "      if (end > at && (bytes[at] as number) >= 0x80) return this.fail('HAWSER_INVALID_LENGTH')\n",
      to: '',
    },
    {
      row: 'a length of 64 bits is counted in full (undici, CVE-2026-1528)',
      test: ['test/adversarial/frame-lengths.test.ts', 'SECURITY.md: 64-bit lengths'],
      file: 'src/frame/frame-parser.ts',
      from: 'length = readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4)',
      to: 'length = readUint32(bytes, at + 4)',
    },
    {
      row: 'a length that is not in its shortest form is refused (gorilla, CVE-2020-27813)',
      test: ['test/adversarial/frame-lengths.test.ts', 'SECURITY.md: 64-bit lengths'],
      file: 'src/frame/frame-parser.ts',
      from: "      if (length <= 0xffff) return this.fail('HAWSER_NON_MINIMAL_LENGTH')\n",
      to: '',
    },
    {
      row: 'window bits out of range decline the offer (undici, CVE-2026-2229; websockets 1757; Bun 38632)',
      test: ['test/unit/deflate/negotiation.test.ts', 'an offer that is passed over (7.1)'],
      file: 'src/deflate/negotiation.ts',
      from: '    default:\n      return null\n  }\n}\n\n',
      to: '    default:\n      return Number.isInteger(Number(value)) ? Number(value) : null\n  }\n}\n\n',
    },
    {
      row: 'a reset after the handshake ends no process, without a listener for errors (engine.io, CVE-2022-41940; ws)',
      test: [
        'test/adversarial/server-hostile.test.ts',
        'survives every attack without a listener for errors',
      ],
      file: 'src/transport/stream-transport.ts',
      from: "    duplex.on('error', onError)\n",
      to: '',
    },
    {
      row: 'a reset during an upgrade ends no process (engine.io, CVE-2022-21676 and CVE-2023-31125)',
      test: [
        'test/integration/server-attach.test.ts',
        'does not end the process by its reset, because the error has a listener',
      ],
      file: 'src/socket/handshake-io.ts',
      from: "  if (!duplex.listeners('error').includes(ignore)) duplex.on('error', ignore)\n",
      to: '',
    },
    {
      row: 'a handshake that arrives byte by byte costs linear time (tungstenite, CVE-2023-43669)',
      test: ['test/adversarial/handshake.test.ts', 'of a head byte by byte: %s', 'a long value'],
      file: 'src/handshake/http1.ts',
      from: '    this.#error = this.#scan(chunk)\n',
      to:
        '    this.#all += latin1(chunk, 0, chunk.length)\n' +
        "    for (let i = 0; i < this.#all.length; i++) if (this.#all.charCodeAt(i) === 0) return 'failed'\n" +
        '    this.#error = this.#scan(chunk)\n',
      also: [
        {
          file: 'src/handshake/http1.ts',
          from: '  #emptyLineSeen = false\n',
          to: "  #emptyLineSeen = false\n  #all = ''\n",
        },
      ],
    },
    {
      row: 'memory follows the bytes received, not the length announced (rust-websocket, CVE-2022-35922; fastwebsockets)',
      test: [
        'test/adversarial/frame-memory.test.ts',
        '100 MB announced and 10 kB sent costs memory for 10 kB: %s',
      ],
      file: 'src/frame/message-assembler.ts',
      from: '    const isLast = wanted >= expected\n',
      to: '    const isLast = true\n',
    },
    {
      row: 'masking keys are random and none is used again (gorilla, GHSA-w67g-5rqw-f597)',
      test: [
        'test/adversarial/frame-outbound.test.ts',
        'a million masking keys repeat no more than chance allows, and each bit is set in half of them',
      ],
      file: 'src/frame/masking.ts',
      from: '    randomFillSync(KEY_POOL)\n',
      to: '    if (KEY_POOL[0] === 0) randomFillSync(KEY_POOL)\n',
    },
    {
      row: 'examples compare secrets in the same time for each (websockets, CVE-2021-33880)',
      test: [
        'test/adversarial/secrets.test.ts',
        'that authenticate use timingSafeEqual: %s',
        'examples/authentication.mjs',
      ],
      file: 'examples/authentication.mjs',
      from: "const isRight = timingSafeEqual(scryptSync(rest.join(':'), salt, 32), expected)",
      to: "const isRight = scryptSync(rest.join(':'), salt, 32).equals(expected)",
      also: [
        {
          file: 'examples/authentication.mjs',
          from: 'if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined',
          to: 'if (!given.equals(expected)) return undefined',
        },
      ],
    },
    {
      row: 'docs compare secrets in the same time for each (websockets, CVE-2021-33880)',
      test: [
        'test/adversarial/secrets.test.ts',
        'compare secrets in the same time for each: %s',
        'docs/server.md',
      ],
      file: 'docs/server.md',
      from: 'const isRight = given.length === expected.length && timingSafeEqual(given, expected)',
      to: 'const isRight = password === expected.toString()',
    },
    {
      row: 'credentials stay behind where a redirect leads to another origin (websockets 16.1, ws)',
      test: [
        'test/integration/client-redirects.test.ts',
        'to another origin leaves the credentials behind, also when it leads back',
      ],
      file: 'src/dial/redirects.ts',
      from: 'headers: hop.headers.filter(([name]) => !CREDENTIALS.includes(name.toLowerCase())),',
      to: 'headers: hop.headers,',
    },
    {
      row: 'another port is another origin for a redirect (websockets 16.1, ws)',
      test: [
        'test/integration/client-redirects.test.ts',
        'to another origin leaves the credentials behind, also when it leads back',
      ],
      file: 'src/dial/redirects.ts',
      from: '  one.port === other.port &&\n',
      to: '',
    },
    {
      row: 'a redirect from wss to ws is refused (websockets 16.1, ws)',
      test: [
        'test/integration/client-redirects.test.ts',
        'from ws to wss is followed, and from wss to ws is refused',
      ],
      file: 'src/dial/redirects.ts',
      from: 'if (hop.target.secure && !target.secure) {',
      to: 'if (hop.target.secure && !target.secure && target.port === 80) {',
    },
    {
      row: "a client's certificate stays behind where a redirect leads to another origin (websockets 16.1)",
      test: [
        'test/unit/dial/redirects.test.ts',
        "to another origin leaves the client's certificate and the name of the server behind",
      ],
      file: 'src/dial/redirects.ts',
      from: 'tls: withoutCredentials(hop.tls),',
      to: 'tls: hop.tls,',
    },
    {
      row: 'a target in absolute form needs a well-formed authority (Next.js, GHSA-c4j6-fc7j-m34r)',
      test: ['test/adversarial/handshake.test.ts', 'the forms of the request target'],
      file: 'src/handshake/request-target.ts',
      from: '  if (!isHost(target.slice(start, end))) return null\n',
      to: '',
    },
    {
      row: 'a target in authority or asterisk form is refused (Next.js, GHSA-c4j6-fc7j-m34r)',
      test: ['test/adversarial/handshake.test.ts', 'the forms of the request target'],
      file: 'src/handshake/request-target.ts',
      from: "const origin = target.startsWith('/') ? target : reduceAbsoluteForm(target)",
      to: "const origin = target.startsWith('/') ? target : (reduceAbsoluteForm(target) ?? `/${target}`)",
    },
    {
      row: 'a connection that ends while it inflates or compresses leaves nothing (WebSocket-Node, ws 1617)',
      test: [
        'test/adversarial/connection-work.test.ts',
        '${how}: contexts, handles and memory return to their start values',
      ],
      file: 'src/connection/sender.ts',
      from: '    this.encoding = null\n    this.codec?.close()\n',
      to: '    this.encoding = null\n',
    },
    {
      row: 'a message in the segment of the request reaches its handler (ws 1322)',
      test: [
        'test/integration/server-upgrade.test.ts',
        'messages that arrive with the handshake and during onUpgrade are delivered in order',
      ],
      file: 'src/server/upgrade.ts',
      from: 'core.open(this.takeEarlyData())',
      to: 'core.open(NO_BYTES)',
      fails: 'hang',
      because: 'the message never reaches the handler',
    },
    {
      row: 'a message in the segment of the 101 reaches readers and handlers (ws 1322)',
      test: [
        'test/integration/client-connect.test.ts',
        'a message in the same segment as the 101 reaches readers and handlers',
      ],
      file: 'src/client/attempt.ts',
      from: 'await core.open(rest, signal)',
      to: 'await core.open(rest.subarray(rest.length), signal)',
      fails: 'hang',
      because: 'the message never reaches the reader',
    },
    {
      row: 'a client whose handshake fails ends no process by a late error of its stream (ws)',
      test: ['test/integration/process.test.ts', 'survives %s', 'a reset within the body of a rejection'],
      file: 'src/dial/exchange.ts',
      from: '      ignoreErrors(duplex)\n    }\n',
      to: '    }\n',
    },
  ],
}
