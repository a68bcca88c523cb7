/** Known faults 8, 9 and 10: heads, foreign peers, groups and the backplane. */

const HEADS = 'test/integration/server-heads.test.ts'
const NEGOTIATION = 'test/unit/deflate/negotiation.test.ts'
const CONTEXT = 'test/unit/deflate/incoming-context.test.ts'
const CONTEXTS = 'test/unit/deflate/contexts.test.ts'
const HUB = 'test/unit/hub/hub.test.ts'
const RELAY = 'test/unit/backplane/relay.test.ts'

export default {
  list: 'Known faults 8, 9 and 10, heads, peers and groups',
  rows: [
    {
      row: 'a second Host behind the fields that node:http keeps is refused, by hand as well',
      test: [
        HEADS,
        'refuses a head of 2,100 fields with %s at its end, which node:http would drop',
        'by hand refuses',
      ],
      file: 'src/server/http-upgrade.ts',
      from: "    return new HandshakeError('HAWSER_HEAD_TOO_LARGE', { detail: 'too many header fields' })\n  }\n",
      to: '    void raw\n  }\n',
    },
    {
      row: 'a request that may have lost fields by the maxHeadersCount of the application is refused',
      test: [HEADS, 'makes Hawser refuse a request that may have lost fields: %s'],
      file: 'src/server/http-upgrade.ts',
      from: "  return typeof kept === 'number' && kept > 0\n",
      to: "  return typeof kept === 'number' && kept > 100_000\n",
    },
    {
      row: 'a body that a head announces is refused, and not read as frames',
      test: ['test/adversarial/handshake.test.ts', 'smuggled requests'],
      file: 'src/handshake/server-handshake.ts',
      from: "if (headers.has('Transfer-Encoding') || headers.getAll('Content-Length').some((length) => length !== '0')) {",
      to: "if (headers.has('Transfer-Encoding')) {",
    },
    {
      row: '405 to HEAD has no body',
      test: [HEADS, 'answers HEAD with %i at %s, without a body', 'attach answers'],
      file: 'src/server/http-upgrade.ts',
      from: "this.incoming.method === 'HEAD' ? headOf(response) : response",
      to: 'response',
    },
    {
      row: 'request.raw is there by the configuration alone',
      test: [
        HEADS,
        'gives request.raw by the configuration alone, however the head of %i more fields is cut',
        'own by handle',
      ],
      file: 'src/server/http-upgrade.ts',
      from: 'this.raw = ownSince === null ? incoming : undefined',
      to: 'this.raw = incoming',
    },
    {
      row: 'handleUpgrade twice with one socket is an InvalidStateError',
      test: [HEADS, 'handleUpgrade names the wrong argument'],
      file: 'src/server/http-upgrade.ts',
      from: "  if (isTaken(socket)) throw new InvalidStateError('the upgrade on this socket was taken already')\n",
      to: '',
    },
    {
      row: 'attach refuses a server that never emits an upgrade',
      test: [HEADS, 'attach refuses servers that never emit an upgrade'],
      file: 'src/server/listener.ts',
      from: '    if (!isHttpServer(httpServer)) {\n',
      to: "    if (typeof (httpServer as HttpServer).on !== 'function') {\n",
    },
    {
      row: 'handleUpgrade names a wrong argument, with its value',
      test: [HEADS, 'handleUpgrade names the wrong argument'],
      file: 'src/server/websocket-server.ts',
      from: '    checkUpgrade(request, socket, head)\n',
      to: '',
    },
    {
      row: 'an empty Sec-WebSocket-Extensions field is taken as none',
      test: [HEADS, 'treats a Sec-WebSocket-Extensions field that is %s as absent', 'own by handle'],
      file: 'src/handshake/extension-header.ts',
      from: "  return headers.getAll('Sec-WebSocket-Extensions').every((one) => trimOws(one) === '') ? NONE : null\n",
      to: '  return null\n',
    },
    {
      row: "a server demands nothing that the client did not offer (Netty's and Jetty's clients)",
      test: [NEGOTIATION, 'demands nothing that was not offered'],
      file: 'src/deflate/options.ts',
      from: '  clientNoContextTakeover: boolean(false),\n',
      to: '  clientNoContextTakeover: boolean(true),\n',
    },
    {
      row: 'a smaller client_max_window_bits is answered where it was offered',
      test: [
        'test/unit/deflate/real-peers.test.ts',
        '%s offers "%s" and gets "%s"',
        '.NET ClientWebSocket, smaller',
      ],
      file: 'src/deflate/negotiation.ts',
      from: 'mayTellClient && clientMaxWindowBits < MAX_WINDOW_BITS ? clientMaxWindowBits : undefined,',
      to: 'undefined,',
    },
    {
      row: 'a connection that received no compressed message has no inflater and keeps no bytes',
      test: [
        CONTEXT,
        'is nothing before the first compressed message, and the message itself after it',
        'handles',
      ],
      file: 'src/deflate/contexts.ts',
      from: '  #history: Buffer = NO_HISTORY\n',
      to: '  #history: Buffer = Buffer.alloc(0)\n',
      also: [
        {
          file: 'src/deflate/contexts.ts',
          from: '      if (previousUse === 0) return null\n',
          to: '',
        },
      ],
    },
    {
      row: 'inflaters and compressors are lent from a bounded pool',
      test: [CONTEXTS, 'takes the least recently used from who is less busy, who gives it up before'],
      file: 'src/deflate/contexts.ts',
      from: '    while (this.#bytes + bytes > this.#maxBytes) {\n',
      to: '    while (this.#bytes > 16 * this.#maxBytes) {\n',
    },
    {
      row: 'a connection whose inflater is taken away keeps its last bytes, and primes the next with them',
      test: [CONTEXT, 'of 2^%d bytes survives any change of who inflates', 'handles of 2^15'],
      file: 'src/deflate/contexts.ts',
      from: '    inflater.prime(this.#history)\n',
      to: '',
      fails: 'throw',
      because: 'what the peer sends next does not inflate, and the test throws the error that it gets',
    },
    {
      row: 'a connection keeps at most a window of its last bytes',
      test: [CONTEXT, 'of 2^%d bytes survives any change of who inflates', 'of 2^8 bytes'],
      file: 'src/deflate/contexts.ts',
      from: 'const length = Math.min(reachBytes, 1 << this.windowBits)',
      to: 'const length = Math.min(reachBytes, 1 << 15)',
    },
    {
      row: 'beyond the budget for kept bytes new handshakes are answered without a context',
      test: [
        'test/integration/deflate-contexts.test.ts',
        'is declined while there is no room for more contexts, and agreed to again later',
      ],
      file: 'src/deflate/extension.ts',
      from: 'acceptOffer(offers, this.#config, this.#codecs.hasRoomForContexts)',
      to: 'acceptOffer(offers, this.#config)',
    },
    {
      row: 'what is kept of a connection is given back when it is over',
      test: [
        CONTEXT,
        'of a connection that is closed while its message is on the thread pool leave nothing behind',
      ],
      file: 'src/deflate/contexts.ts',
      from: '    this.#keep(NO_HISTORY)\n    this.#release()\n  }\n\n  receive',
      to: '    this.#release()\n  }\n\n  receive',
    },
    {
      row: 'a server that leaves server_max_window_bits out is tolerated (gorilla, gws, Undertow, Jetty)',
      test: [NEGOTIATION, '%s to an offer of %j is taken'],
      file: 'src/deflate/negotiation.ts',
      from: 'return config.strictNegotiation ? shortfallOf(answer, config) : null',
      to: 'return shortfallOf(answer, config)',
    },
    {
      row: 'a client that wants a smaller window of the server offers to do without',
      test: [NEGOTIATION, 'the offer of a client (RFC 7692 section 7.1)'],
      file: 'src/deflate/negotiation.ts',
      from: 'return strictNegotiation ? preferred : `${preferred}, ${formatOffer(config, undefined)}`',
      to: 'return preferred',
    },
    {
      row: 'a connection that is closing is no member of groups and has no name',
      test: [
        'test/integration/server-members.test.ts',
        'is not a member from the moment when %s',
        'handle is not a member from the moment when this side closes it',
      ],
      file: 'src/server/server-core.ts',
      from: '    this.openSocketsChanged()\n    this.hub.forget(socket)\n',
      to: '    this.openSocketsChanged()\n    setTimeout(() => this.hub.forget(socket), 1000)\n',
    },
    {
      row: 'a connection that is closing gets no message that goes to all',
      test: [
        'test/integration/server-members.test.ts',
        'is not a member from the moment when %s',
        'handle is not a member from the moment when this side closes it',
      ],
      file: 'src/server/server-core.ts',
      from: '      .filter((socket) => socket.readyState === ReadyState.OPEN)\n',
      to: '',
    },
    {
      row: 'server.sockets has the connections of handleUpgrade',
      test: [
        'test/integration/server-members.test.ts',
        'holds the connections of all routes and of handleUpgrade, and is live',
      ],
      file: 'src/server/server-core.ts',
      from: '    this.inUse.add(route)\n',
      to: "    if (route.path !== '') this.inUse.add(route)\n",
    },
    {
      row: 'a node that joined before the relay listened joins again',
      test: [
        RELAY,
        'joins although it publishes nothing, says that it lives, and gets the messages of its groups',
      ],
      file: 'src/backplane/pipe-backplane.ts',
      from: '    this.joinTimer = setTimeout(() => {\n      this.join(flow, this.joins)\n    }, delayMs).unref()\n',
      to: '    this.joinTimer = setTimeout(() => undefined, delayMs).unref()\n',
      fails: 'hang',
      because: 'the node is never heard',
    },
    {
      row: 'a node that joins again asks for its groups once more',
      test: [
        RELAY,
        'joins although it publishes nothing, says that it lives, and gets the messages of its groups',
      ],
      file: 'src/backplane/pipe-backplane.ts',
      from: '    for (const group of this.watched) if (!this.pending.has(group)) this.pending.set(group, true)\n',
      to: '',
    },
    {
      row: 'the members of a group and named connections have the type of the data of their server',
      test: [
        'test/unit/server/types.test.ts',
        'take the data of members and of named connections from the server or from the call',
      ],
      file: 'src/server/websocket-server.ts',
      from: '  group<D = Data>(name: string): Group<ServerSocket<D>> {\n',
      to: '  group<D = unknown>(name: string): Group<ServerSocket<D>> {\n',
      fails: 'types',
      because: 'it is a test of types, which the compiler runs',
    },
    {
      row: 'the errors of a hub name hubLimits, as the user gives them',
      test: [HUB, 'are checked: a wrong one throws with its name, value and range'],
      file: 'src/hub/hub-limits.ts',
      from: "readOptions('hubLimits', options, CHECKS, { prefix: 'hubLimits.' })",
      to: "readOptions('limits', options, CHECKS, { prefix: 'limits.' })",
    },
    {
      row: 'the error above maxGroupsPerConnection names hubLimits',
      test: [
        HUB,
        'above maxGroupsPerConnection join throws a RangeError, and the connection stays in its groups',
      ],
      file: 'src/hub/memberships.ts',
      from: ' groups, hubLimits.maxGroupsPerConnection`',
      to: ' groups, limits.maxGroupsPerConnection`',
    },
  ],
}
