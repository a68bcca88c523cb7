/** Attacks of SECURITY.md that are in no list of what went wrong: floods, forgeries, and what is shared. */

const QUOTAS = 'test/integration/quotas.test.ts'
const HANDSHAKES = 'test/integration/handshake-quotas.test.ts'
const EVERY_BYTE = 'test/integration/every-byte/sample.test.ts'
const BY_HANDLE = 'by the handle'
const FLAGS = 'test/package/node-flags.test.ts'
const JETSTREAM = 'test/integration/brokers/nats-history-faults.test.ts'
const MAKES_TWO = 'appends to the stream that the server knows by its name, where it makes two of one name %s'

export default {
  list: 'Further attacks',
  rows: [
    {
      row: 'pongs that wait are bounded for a peer that pings and does not read',
      test: [
        'test/adversarial/connection-output.test.ts',
        'at most %i pongs and one more wait while nothing is taken',
      ],
      file: 'src/connection/pongs.ts',
      from: '    if (isLimited && this.pending >= this.max) {\n',
      to: '    if (isLimited && this.pending > 1e9) {\n',
    },
    {
      row: 'memory of waiting output follows its bytes, not the number of sends',
      test: [
        'test/adversarial/connection-output.test.ts',
        'the memory of waiting output follows its bytes, not the number of sends',
      ],
      file: 'src/connection/write-queue.ts',
      from: '    const at = this.reserve(headerBytes + length)\n',
      to: '    const at = this.reserve(headerBytes + length + 4096)\n',
    },
    {
      row: 'headers that the application adds cannot end a line',
      test: ['test/unit/handshake/caller-headers.test.ts', 'are refused if they are malformed: %j'],
      file: 'src/handshake/caller-headers.ts',
      from: "if (typeof value === 'string' && isFieldValue(value)) return value",
      to: "if (typeof value === 'string') return value",
    },
    {
      row: "headers that the application adds cannot repeat the handshake's own",
      test: ['test/unit/handshake/caller-headers.test.ts', 'are refused if the handshake reserves them: %s'],
      file: 'src/handshake/caller-headers.ts',
      from: "if (RESERVED_NAMES.has(lowerCase) || lowerCase.startsWith('sec-websocket-')) {",
      to: 'if (RESERVED_NAMES.has(lowerCase)) {',
    },
    {
      row: "no byte of one connection's messages reaches another through a shared inflater",
      test: [
        'test/unit/deflate/incoming-context.test.ts',
        'give no byte of another connection away after a message that ends in a final block',
      ],
      file: 'src/deflate/inflate-window.ts',
      from: '  const length = Math.min(handle.outputBytes, maxBytes)\n',
      to: '  const length = maxBytes\n',
      also: [
        {
          file: 'src/deflate/inflate-window.ts',
          from: '  if (handle.error !== null || handle.outputLeft !== 0) return NO_HISTORY\n',
          to: '',
        },
      ],
    },
    {
      row: "one connection's frames are not written over by another's",
      test: [
        'test/property/connection-write-queue.test.ts',
        'each queue gives its own frames in order and unchanged, in any interleaving',
      ],
      file: 'src/connection/output-regions.ts',
      from: 'region === slab && end === slabEnd && end + bytes',
      to: 'region === slab && end + bytes',
    },
    {
      row: 'text that is not UTF-8 fails at its first bad byte, in any pieces',
      test: [
        'test/unit/frame/utf8.test.ts',
        'RFC 6455 8.1: failing at the first byte after which nothing valid can follow',
      ],
      file: 'src/frame/utf8.ts',
      from: '      else if (byte === 0xed) this.#upper = 0x9f\n',
      to: '',
    },
    {
      row: 'a text that ends inside a character fails',
      test: [
        'test/property/connection-bytes.test.ts',
        'any split of a stream gives the same events and the same output',
      ],
      file: 'src/frame/message-assembler.ts',
      from: '    if (this.validator !== null && !this.validator.isComplete) {\n',
      to: '    if (this.validator !== null && this.length < 0) {\n',
    },
    {
      row: 'a stream of bytes gives the same frames in any chunks',
      test: ['test/property/frame-parser.test.ts', 'give the frames that the model finds in the whole'],
      file: 'src/frame/frame-parser.ts',
      from: '    const offset = this.payloadLength - this.remaining\n',
      to: '    const offset = 0\n',
    },
    {
      row: 'at most one Close frame leaves, whatever a peer sends',
      test: [
        'test/adversarial/connection-closing.test.ts',
        'a ${role} in the state %s with the input %s does what the table says',
      ],
      file: 'src/connection/ending.ts',
      from: "    if (send === 'violation') sender.sendClose(",
      to: "    if (send !== 'lost') sender.sendClose(",
    },
    {
      row: 'a page of another origin is refused where origins are given, and so is a request without one',
      test: [
        'test/integration/server-upgrade.test.ts',
        'origins give 403 for any other origin, and for none',
      ],
      file: 'src/handshake/origin.ts',
      from: '    if (origin === undefined) return false\n',
      to: '    if (origin === undefined) return true\n',
    },
    {
      row: 'a handshake that never ends is ended in time',
      test: [
        'test/integration/client-connect.test.ts',
        'handshakeTimeoutMs ends the handshake with a peer that sends a byte now and then',
      ],
      file: 'src/client/attempt.ts',
      from: '  timerWheel.schedule(deadline, startedAt + limits.handshakeTimeoutMs)\n',
      to: '',
      fails: 'hang',
      because: 'connect never settles',
    },
    {
      row: 'an endless head is refused before its end',
      test: ['test/adversarial/handshake.test.ts', 'an endless head'],
      file: 'src/handshake/http1.ts',
      from: '    if (this.#received === this.#maxHeaderBytes) {\n',
      to: '    if (this.#received >= 4 * this.#maxHeaderBytes) {\n',
      also: [
        {
          file: 'src/handshake/http1.ts',
          from: 'const end = Math.min(chunk.length, this.#maxHeaderBytes - this.#received)',
          to: 'const end = chunk.length',
        },
      ],
    },
    {
      row: 'messages above a quota close their connection alone',
      test: [
        QUOTAS,
        "a thousand messages in one chunk above a quota close the connection with 1008, and no other client's",
        BY_HANDLE,
      ],
      file: 'src/server/connection-meter.ts',
      from: "    if (messages?.admits(this.messagesFullAt, now, 1) === false) return this.exceeded('messages')\n",
      to: '',
      fails: 'hang',
      because: 'the connection is never closed',
    },
    {
      row: 'messages above a quota are dropped and counted where that is chosen',
      test: [QUOTAS, 'messages above a quota are dropped and counted, and the connection goes on', BY_HANDLE],
      file: 'src/server/metering.ts',
      from: '      this.core.dropReceived()\n',
      to: '',
    },
    {
      row: 'a connection above a quota is not read until there is room, where that is chosen',
      test: [
        QUOTAS,
        'a pause reaches the sender through TCP, whose bytes are taken at the pace of the quota',
        BY_HANDLE,
      ],
      file: 'src/server/metering.ts',
      from: '      driver.hold(Hold.QUOTA)\n',
      to: '',
    },
    {
      row: 'pings above a quota close their connection',
      test: [QUOTAS, 'pings above a quota close the connection with 1008', BY_HANDLE],
      file: 'src/server/metering.ts',
      from: "    return (event.type !== 'ping' && event.type !== 'pong') || this.admitsControlFrame()\n",
      to: '    return true\n',
      fails: 'hang',
      because: 'the connection is never closed',
    },
    {
      row: 'empty fragments of a message that never ends count for a quota of bytes',
      test: [QUOTAS, 'fragments of a message that never ends exceed a quota of bytes', BY_HANDLE],
      file: 'src/connection/receiver.ts',
      from: '      this.dataBytes += parser.wholeEnd - parser.wholeStart + frames * HEADER_BYTES\n',
      to: '      this.dataBytes += parser.wholeEnd - parser.wholeStart\n',
      fails: 'hang',
      because: 'the connection is never closed',
    },
    {
      row: 'a compressed message counts what it inflates to',
      test: [QUOTAS, 'a compressed message counts what it inflates to', BY_HANDLE],
      file: 'src/server/connection-meter.ts',
      from: '    this.lastBytes = Math.max(0, size + HEADER_BYTES - this.prepaidBytes)\n',
      to: '    this.lastBytes = this.surplusBytes\n',
      fails: 'hang',
      because: 'the connection is never closed',
    },
    {
      row: 'handshakes above the quota of all get 503 before onUpgrade',
      test: [
        HANDSHAKES,
        'a handshake above the quota of all gets 503 with Retry-After, before onUpgrade, and is counted',
        'its own port by handle',
      ],
      file: 'src/server/handshake-quotas.ts',
      from: '      if (!all.admits(this.allFullAt, now, 1)) {\n',
      to: '      if (!all.admits(this.allFullAt, now, 0)) {\n',
    },
    {
      row: 'the addresses that are kept for quotas are bounded',
      test: [
        'test/unit/server/handshake-quotas.test.ts',
        'stays within its bound in a flood from a million addresses, and still holds those that go on',
      ],
      file: 'src/server/handshake-quotas.ts',
      from: 'if ((this.young.size >= this.maxYoung && !this.young.has(key)) || now - this.turnedAt >= this.fillMs) {',
      to: 'if (now - this.turnedAt >= this.fillMs) {',
    },
    {
      row: 'an address of IPv6 counts by its first 64 bits',
      test: [
        'test/unit/server/handshake-quotas.test.ts',
        'is one for IPv4 and the same mapped into IPv6, and one for 64 bits of IPv6',
      ],
      file: 'src/server/handshake-quotas.ts',
      from: "const key = each === null || address === '' ? '' : addressKey(address)",
      to: "const key = each === null || address === '' ? '' : address",
    },
    {
      row: 'X-Forwarded-For of a peer that is not a trusted proxy is not believed',
      test: [HANDSHAKES, 'without trusted proxies nobody is believed', 'its own port by handle'],
      file: 'src/server/trusted-proxies.ts',
      from: "  if (trust === null || (peer === '' && !peerOfUpgrade.isLocal()) || !trust(peer, 0)) return peer\n",
      to: "  if ((peer === '' && !peerOfUpgrade.isLocal()) || trust?.(peer, 0) === false) return peer\n",
      also: [
        {
          file: 'src/server/trusted-proxies.ts',
          from: '    if (!trust(client, hop)) break\n',
          to: '    if (trust?.(client, hop) !== true) break\n',
        },
      ],
    },
    {
      row: 'what a client writes into X-Forwarded-For before its proxy is not believed',
      test: [
        'test/unit/server/trusted-proxies.test.ts',
        'comes from all fields of the name together, of which the last entry is the nearest',
      ],
      file: 'src/server/trusted-proxies.ts',
      from: '    const entry = entries[entries.length - hop] as string\n',
      to: '    const entry = entries[hop - 1] as string\n',
    },
    {
      row: 'a reset on the way is told to the application, whatever byte it comes at',
      test: [
        EVERY_BYTE,
        'a line that is truncated, reset or half closed ends each end once: $name',
        'by the handle a line that is truncated, reset or half closed ends each end once: compressed',
      ],
      file: 'src/connection/ending.ts',
      from: '    this.lossError = error\n',
      to: '    this.lossError = initiator === undefined ? null : error\n',
    },
    {
      row: 'a reset during the upgrade is told to onError',
      test: [
        'test/integration/server-open.test.ts',
        'reports a reset during its upgrade to onError before onClose',
        BY_HANDLE,
      ],
      file: 'src/socket/socket-driver.ts',
      from: '    if (this.transport.isDestroyed) this.loseTransport(failureOf(this.transport))\n',
      to: '    if (this.transport.isDestroyed) this.loseTransport()\n',
    },
    {
      row: 'a peer that resets its connection right behind its request is not asked about',
      test: [
        'test/integration/server-open.test.ts',
        'right behind its request is not asked about: it has no address that would count',
        BY_HANDLE,
      ],
      file: 'src/server/direct-upgrade.ts',
      from: "    if (this.remoteAddress !== '') {\n",
      to: '    {\n',
    },
    {
      row: 'connections that come together leave the others their turns',
      test: [
        'test/integration/first-turns.test.ts',
        'opens them two in a turn at most where each takes all of its time',
      ],
      file: 'src/server/first-turns.ts',
      from: '    if (isFirst || (this.count === 0 && this.hasTime)) {\n',
      to: '    if (isFirst || this.count === 0) {\n',
    },
    {
      row: 'a connection that waited for its turn is read again',
      test: [
        'test/integration/first-turns.test.ts',
        'loses nothing of what came with a head, and after it, while it waited',
      ],
      file: 'src/server/direct-upgrade.ts',
      from: '    this.acceptor.sort(this.handle, bytes, startedAt + waitedMs, waitsSince === null)\n',
      to: '    this.acceptor.sort(this.handle, bytes, startedAt + waitedMs, true)\n',
      fails: 'hang',
      because: 'what is not read is waited for in vain',
    },
    {
      row: 'first bytes that wait for their turn are bounded',
      test: [
        'test/unit/server/first-turns.test.ts',
        'wait up to MAX_WAITING_BYTES: then the oldest are taken at once',
      ],
      file: 'src/server/first-turns.ts',
      from: '    while (this.waitingBytes > MAX_WAITING_BYTES) this.takeOldest()\n',
      to: '',
    },
    {
      row: 'floods over many connections leave the others their turns',
      test: [
        'test/unit/socket/input-turns-driver.test.ts',
        'connections wait behind their chunks once the time of a turn is over, and are read on by turns',
      ],
      file: 'src/socket/turn-loop.ts',
      from: '    if (isOver) this.waitForTurn(length)\n    return isOver\n',
      to: '    return false\n',
    },
    {
      row: 'nothing but its turn reads a connection on that waits for it',
      test: [
        'test/unit/socket/input-turns-driver.test.ts',
        'a connection that waits is not read before its turn, whatever else would read on',
      ],
      file: 'src/socket/socket-driver.ts',
      from: '    return this.isReading && !this.connection.isInflating\n',
      to: '    return this.isPulling && !this.connection.isInflating\n',
    },
    {
      row: 'connections that open together and begin with much are read a few at a time',
      test: [
        'test/unit/socket/slow-start-driver.test.ts',
        'lets a few connections begin in each turn where they begin with large chunks',
      ],
      file: 'src/socket/turn-loop.ts',
      from: "    if (begins !== 'now') this.stopReading(Hold.TURN)\n",
      to: '',
    },
    {
      row: 'connections that open together with much that came with their handshakes are handled a few at a time',
      test: [
        'test/unit/socket/early-chunks.test.ts',
        'much that came with the handshake is handled of a few connections in each turn',
      ],
      file: 'src/socket/turn-loop.ts',
      from: "    if (begins !== 'later') this.release(Hold.START)\n",
      to: '    this.release(Hold.START)\n',
    },
    {
      row: 'what came with handshakes and waits is bounded, of all connections together',
      test: [
        'test/unit/socket/input-turns.test.ts',
        'wait up to a bound of all connections together, and again when others began or are over',
      ],
      file: 'src/socket/input-turns.ts',
      from: '    const waits = early > 0 && this.earlyBytes + early <= MAX_EARLY_BYTES\n',
      to: '    const waits = early > 0\n',
    },
    {
      row: 'an end of the input does not bring forward what came with the handshake',
      test: [
        'test/unit/socket/early-chunks.test.ts',
        'a connection that is %s gets it all in its turn, and ends after it',
      ],
      file: 'src/socket/run-loop.ts',
      from: '    this.holds &= Hold.INBOX | Hold.START\n',
      to: '    this.holds &= Hold.INBOX\n',
    },
    {
      row: 'a connection is gone only after what came with its handshake: it may have the Close frame',
      test: [
        'test/unit/socket/early-chunks.test.ts',
        'the Close frame of a peer that is gone, behind much that came with the handshake, says how the connection ended',
      ],
      file: 'src/socket/socket-driver.ts',
      from: '      if (!this.isHeldBy(Hold.START)) this.gone()\n',
      to: '      this.gone()\n',
    },
    {
      row: 'a connection that is paused after its peer ended still ends',
      test: [
        'test/unit/socket/early-chunks.test.ts',
        'a connection that is paused after its peer ended still ends',
      ],
      file: 'src/socket/socket-driver.ts',
      from: '    if (this.connection.hasInputEnded) return\n',
      to: '',
    },
    {
      row: 'deadlines do not fall behind where those that were called wait for a time that is past',
      test: [
        'test/unit/transport/timer-wheel.test.ts',
        'calls the others that are due in the next turns, and those that wait for a time that is past once, after them',
      ],
      file: 'src/transport/timer-wheel.ts',
      from: 'return Math.max(number, this.servedSlot + 1)',
      to: 'return Math.max(number, this.firedSlot + 1)',
    },
    {
      row: 'a table of the system is dropped when it is not good any more',
      test: ['test/unit/transport/tcp-table.test.ts', '%s is dropped when it is not good any more'],
      file: 'src/transport/tcp-table.ts',
      from: '    setTimeout(drop, read.goodUntil - read.readAt).unref()\n',
      to: '    void drop\n',
    },
    {
      row: 'what a peer sent after it failed is not kept',
      test: ['test/unit/connection/dropped-input.test.ts', 'what follows %s is not copied'],
      file: 'src/connection/connection.ts',
      from: '    this.end.fail(closeCode, reason)\n    this.dropInput()\n',
      to: '    this.end.fail(closeCode, reason)\n',
    },
    {
      row: 'floods over many connections that have failed leave the others their turns',
      test: [
        'test/unit/socket/discard.test.ts',
        'is read on by turns where many end together, so that they do not take the turn of others',
      ],
      file: 'src/socket/input-turns.ts',
      from: '      if (bytes > MAX_TURN_BYTES && bytes > length) return\n',
      to: '',
    },
    {
      row: 'a line that goes silent at any byte ends both ends, also where nothing waits to be sent',
      test: [EVERY_BYTE, 'a line that stalls, one way or both ways, ends by the timers'],
      file: 'src/connection/connection.ts',
      from: "    if (verdict === 'dead') {\n",
      to: "    if (verdict === 'dead' && unsentBytes > 0) {\n",
    },
    {
      row: 'a monotonic clock that jumps ahead, as after a sleep, cuts no peer that goes on',
      test: ['test/integration/every-byte/clocks.test.ts', 'cuts no peer that goes on: $name', BY_HANDLE],
      file: 'src/transport/timer-wheel.ts',
      from: '    if (lateMs < SLOT_MS) {\n',
      to: '    if (lateMs >= 0) {\n',
    },
    {
      row: 'a reset ends no process whose Error is frozen',
      test: [FLAGS, 'no peer ends the process with %s', 'with --frozen-intrinsics'],
      file: 'src/errors.ts',
      from: "  Reflect.set(Error, 'stackTraceLimit', 0)\n",
      to: '  Error.stackTraceLimit = 0\n',
    },
    {
      row: 'what a node appends to a stream that another node has replaced meanwhile is sent again',
      test: [JETSTREAM, MAKES_TWO, 'while it appends'],
      file: 'src/brokers/nats-history.ts',
      from: '    if (!isSure && !(await groups.confirm(group, epoch, limits, deadline))) {\n',
      to: '    if (epoch === null) {\n',
    },
    {
      row: 'a node that makes a stream asks which one has its name',
      test: [JETSTREAM, MAKES_TWO, 'before an append'],
      file: 'src/brokers/nats-group-streams.ts',
      from: '        continue\n      }\n      const [pattern',
      to: '        return { epoch, info: { config: {}, state: { first_seq: 0, last_seq: 0, messages: 0, bytes: 0 } } }\n      }\n      const [pattern',
      also: [
        {
          file: 'src/brokers/nats-history.ts',
          from: '    if (!isSure && !(await groups.confirm(group, epoch, limits, deadline))) {\n',
          to: '    if (epoch === null) {\n',
        },
      ],
    },
    {
      row: 'a node goes on in the epoch that its own reads found',
      test: [
        JETSTREAM,
        'goes on in the stream that a read found, where the server made a second one of the name later',
        'with nats 3',
      ],
      file: 'src/brokers/nats-group-streams.ts',
      from: '      if (this.known.get(group)?.epoch !== epoch) this.known.delete(group)\n',
      to: '',
    },
  ],
}
