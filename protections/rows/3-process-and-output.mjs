/** Known faults 1 and 2: a peer that ends the process, and backpressure. */

const PIPELINING = 'test/integration/server-pipelining.test.ts'
const OUTPUT = 'test/integration/faults-output.test.ts'
const LIVE_OUTPUT = 'test/integration/liveness-output.test.ts'
const READERS = 'test/integration/liveness-readers.test.ts'
const TIMERS = 'test/integration/liveness-timers.test.ts'
const BY_HANDLE = 'server, by the handle'

export default {
  list: 'Known faults 1 and 2, the process and output',
  rows: [
    {
      row: 'an upgrade behind a GET is answered after the GET',
      test: [
        PIPELINING,
        'waits for the answer to a GET, in %i segments, and keeps frames that came early',
        'attach handle',
      ],
      file: 'src/server/http-upgrade.ts',
      from: '    const owed = owedAnswer(this.duplex, this.incoming)\n',
      to: '    const owed = null as ReturnType<typeof owedAnswer>\n',
    },
    {
      row: 'an upgrade behind several requests waits for all of their answers',
      test: [
        PIPELINING,
        'waits for the answers to a POST with a body, a HEAD and a GET, in order',
        'attach handle',
      ],
      file: 'src/server/pipelining.ts',
      from: "    if (owed !== null) {\n      owed.once('close', this.look)\n      return\n    }\n",
      to: '',
    },
    {
      row: 'an upgrade behind an answer that ends its connection is not answered',
      test: [PIPELINING, 'is not answered after an answer with Connection: close', 'attach handle'],
      file: 'src/server/pipelining.ts',
      from: '    if (duplex.destroyed || !duplex.writable) {\n      this.lose()\n      return\n    }\n',
      to: '',
    },
    {
      row: 'a 404, 403 or 400 to an upgrade does not overtake an earlier answer',
      test: [PIPELINING, 'does not overtake when it gets %i', 'attach handle'],
      file: 'src/server/upgrade.ts',
      from: '    this.request = request\n    this.takeTurn()\n',
      to: '    this.request = request\n    this.turnCame()\n',
    },
    {
      row: 'the wait for an earlier answer is bounded by the handshake timeout',
      test: [
        PIPELINING,
        'ends the connection at the handshake timeout without a second answer when the earlier answer %s',
        'attach handle',
      ],
      file: 'src/server/pipelining.ts',
      from: '    timerWheel.schedule(this, dueAt)\n',
      to: '',
      fails: 'hang',
      because: 'the connection never ends',
    },
    {
      row: 'bytes that a peer sends while its upgrade waits are bounded',
      test: ['test/unit/server/early-data.test.ts', 'reports when it is full'],
      file: 'src/server/early-data.ts',
      from: '    return length <= MAX_EARLY_DATA_BYTES\n',
      to: '    return true\n',
    },
    {
      row: 'an error of a socket whose handle was taken ends no process',
      test: [
        PIPELINING,
        'ends the connection by %s()',
        'attach handle: application code that kept the socket of a connection ends the connection by error()',
      ],
      file: 'src/transport/handle-transport.ts',
      from: "  from.on('error', ignore)\n",
      to: '',
    },
    {
      row: 'destroy() of a socket whose handle was taken ends the connection',
      test: [
        PIPELINING,
        'ends the connection by %s()',
        'attach handle: application code that kept the socket of a connection ends the connection by destroy()',
      ],
      file: 'src/transport/handle-transport.ts',
      from: "  from.on('close', onEmptiedClosed)\n",
      to: '',
      fails: 'hang',
      because: 'the connection never ends',
    },
    {
      row: 'resetAndDestroy() of a socket whose handle was taken sends a RST',
      test: [PIPELINING, 'sends a RST by resetAndDestroy()', 'attach handle'],
      file: 'src/transport/handle-transport.ts',
      from: '    this[TRANSPORT]?.reset()\n',
      to: '',
      fails: 'hang',
      because: 'the peer gets a FIN, and waits for more',
    },
    {
      row: 'write() of a socket whose handle was taken puts nothing between the frames',
      test: [PIPELINING, 'changes nothing by write() on a socket whose handle Hawser took'],
      file: 'src/transport/handle-transport.ts',
      from: '  override _write(_chunk: unknown, _encoding: string, done: () => void): void {\n    done()\n',
      to: '  override _write(chunk: unknown, _encoding: string, done: () => void): void {\n    this[TRANSPORT]?.write(chunk as Buffer)\n    done()\n',
    },
    {
      row: 'a message behind a large one to a peer that reads is taken',
      test: [
        LIVE_OUTPUT,
        'large message on its way: the next message is taken, and all arrive in order',
        BY_HANDLE,
      ],
      file: 'src/socket/socket-driver.ts',
      from: 'return connection.mostBufferedBytes <= most || connection.bufferedBytes <= most || this.admitsOneMore()',
      to:
        'if (!connection.isSendable || this.bufferedAmount <= most) return true\n    this.needsDrain = true\n' +
        "    if (this.slowConsumer === 'close') this.failSlowPeer()\n    return false",
    },
    {
      row: 'a message of 2 MiB and one behind it reach a peer that reads over TLS',
      test: [OUTPUT, 'receives both send(%s) and send("ready")', 'over TLS'],
      file: 'src/socket/socket-driver.ts',
      from: 'return connection.mostBufferedBytes <= most || connection.bufferedBytes <= most || this.admitsOneMore()',
      to:
        'if (!connection.isSendable || !this.flow.isBlocked || most === Infinity) return true\n    this.needsDrain = true\n' +
        "    if (this.slowConsumer === 'close') this.failSlowPeer()\n    return false",
      fails: 'throw',
      because: 'the connection is closed with 1008, which its reader gets in place of the message',
    },
    {
      row: "a broadcast during another's large message closes no connection",
      test: [OUTPUT, "is not closed by a broadcast during another's large message", 'by the handle'],
      file: 'src/socket/socket-driver.ts',
      from: "    if (!this.admits()) return 'dropped'\n    this.connection.sendPrepared(message)\n",
      to:
        "    if (this.flow.isBlocked) {\n      if (this.slowConsumer === 'close') this.failSlowPeer()\n      return 'dropped'\n    }\n" +
        '    this.connection.sendPrepared(message)\n',
    },
    {
      row: 'replies of a handler with a concurrency above 1 close no connection to a slow reader',
      test: [
        OUTPUT,
        'never closes the connection to a slow reader by replies with a concurrency above 1',
        BY_HANDLE,
      ],
      file: 'src/service/replies.ts',
      from: '    if (!this.isWaiting && this.core.driver.hasRoom) return true\n    return !isSent(value, this.codec)\n',
      to: '    return true\n',
      fails: 'hang',
      because: 'the connection is closed, and the other replies never come',
    },
    {
      row: 'a reply that is ready waits for room, and its handler counts as running until then',
      test: [
        LIVE_OUTPUT,
        'a reply that a handler returned waits for room, and the handler counts as running until then',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: '    if (!replies.hasRoomFor(value)) {\n      replies.keep(value, message)\n      return\n    }\n    this.running--\n',
      to: '    this.running--\n',
    },
    {
      row: 'parts of a reply stream wait for room',
      test: [LIVE_OUTPUT, 'parts of a reply stream wait for room as well', BY_HANDLE],
      file: 'src/service/reply-streams.ts',
      from: '    return !this.isOver && driver.connection.isSendable && !driver.hasRoom\n',
      to: '    return !this.isOver && driver.connection.bufferedBytes < 0\n',
    },
    {
      row: 'messages that wait for the thread pool count as waiting output',
      test: [
        OUTPUT,
        'counts messages that are being compressed, so that a peer that never reads holds no memory (policy %s)',
        BY_HANDLE,
      ],
      file: 'src/connection/sender.ts',
      from: '    return this.output.byteLength + (this.encoding === null ? 0 : this.encoding.totalBytes)\n',
      to: '    return this.output.byteLength\n',
    },
    {
      row: 'slowConsumer drop acts while a message is compressed',
      test: [
        LIVE_OUTPUT,
        'compression under way: drop leaves out messages above the limit, and memory stays bounded',
        BY_HANDLE,
      ],
      file: 'src/connection/sender.ts',
      from: 'return this.byteLength - (isFirst && this.encoding !== null ? this.encoding.byteLength : 0)',
      to: 'return isFirst ? 0 : this.byteLength',
    },
    {
      row: 'memory for one connection is bounded by maxBufferedOutputBytes and one message',
      test: [
        LIVE_OUTPUT,
        'large message on its way: maxBufferedOutputBytes counts what waits after it, and one more is taken',
        BY_HANDLE,
      ],
      file: 'src/socket/socket-driver.ts',
      from: "this.maxWaitingBytes = slowConsumer === 'buffer' ? Infinity : limits.maxBufferedOutputBytes",
      to: 'this.maxWaitingBytes = Infinity',
    },
    {
      row: 'any calls in any order at any speed keep to the bounds and deadlines of docs/backpressure.md',
      test: ['test/property/liveness-model.test.ts', 'keep the rules until the end: %s'],
      file: 'src/socket/socket-driver.ts',
      from: "this.maxWaitingBytes = slowConsumer === 'buffer' ? Infinity : limits.maxBufferedOutputBytes",
      to: 'this.maxWaitingBytes = Infinity',
    },
    {
      row: 'slowConsumer close drops what waits and fails the connection with 1008',
      test: [
        LIVE_OUTPUT,
        "slowConsumer 'close': the next message is not taken, the waiting ones are dropped, and the code is 1008",
        BY_HANDLE,
      ],
      file: 'src/connection/connection.ts',
      from: '    if (dropOutput) this.end.drop()\n',
      to: '',
    },
    {
      row: 'slowConsumer buffer takes every message',
      test: [
        LIVE_OUTPUT,
        "slowConsumer 'buffer': the next message is taken, however many bytes wait",
        BY_HANDLE,
      ],
      file: 'src/socket/socket-driver.ts',
      from: "this.maxWaitingBytes = slowConsumer === 'buffer' ? Infinity : limits.maxBufferedOutputBytes",
      to: 'this.maxWaitingBytes = limits.maxBufferedOutputBytes',
    },
    {
      row: 'a peer that floods and never reads is cut within sendTimeoutMs',
      test: [
        READERS,
        'floods and does not read the replies: replies wait, reading stops, and sendTimeoutMs cuts it',
        BY_HANDLE,
      ],
      file: 'src/socket/output-flow.ts',
      from: 'return this.isBlocked && now >= this.progressAt + this.limits.sendTimeoutMs',
      to: 'return false',
      fails: 'hang',
      because: 'the connection is never cut',
    },
    {
      row: 'one byte now and then is not progress',
      test: [
        READERS,
        'stalled: a peer that takes a byte now and then, and pings all the time, is cut within sendTimeoutMs',
        BY_HANDLE,
      ],
      file: 'src/socket/output-progress.ts',
      from: 'export const MIN_PROGRESS_BYTES = 1024\n',
      to: 'export const MIN_PROGRESS_BYTES = 1\n',
      fails: 'hang',
      because: 'the connection is never cut',
    },
    {
      row: 'a peer that is not read is judged by sendTimeoutMs',
      test: [TIMERS, 'A peer that is not read is judged by sendTimeoutMs all the same', BY_HANDLE],
      file: 'src/socket/deadlines.ts',
      from: '    if (isKnown && this.flow.isStalled(now)) return',
      to: '    if (this.isPulling && this.flow.isStalled(now)) return',
      fails: 'hang',
      because: 'the connection is never cut',
    },
    {
      row: 'the heartbeat does not cut a slow and steady reader',
      test: [OUTPUT, 'does not cut a slow and steady reader by the heartbeat', BY_HANDLE],
      file: 'src/socket/output-flow.ts',
      from: 'if (this.progress.look(now, this.isBlocked, this.takenBytes)) this.connection.peerTookBytes(now)',
      to: 'this.progress.look(now, this.isBlocked, this.takenBytes)',
    },
    {
      row: 'one byte of an upload now and then is life for the heartbeat',
      test: [TIMERS, 'heartbeatTimeoutMs: one byte of an upload now and then is not silence', BY_HANDLE],
      file: 'src/connection/connection.ts',
      from: '    if (this.lazyKeepalive !== null) this.lazyKeepalive.alive(now)\n    // Both in this function',
      to: '    if (this.lazyKeepalive !== null && !this.isInMessage) this.lazyKeepalive.alive(now)\n    // Both in this function',
    },
    {
      row: 'a peer that is silent for both times of the heartbeat is cut',
      test: [TIMERS, 'heartbeatTimeoutMs: silence for both times ends the connection', BY_HANDLE],
      file: 'src/connection/keepalive.ts',
      from: "if (firstProbeAt !== NOT_PROBED && now >= firstProbeAt + this.timeoutMs) return 'dead'",
      to: "if (firstProbeAt !== NOT_PROBED && now >= this.lastProbeAt + this.timeoutMs) return 'dead'",
      fails: 'hang',
      because: 'each further ping puts the end off',
    },
    {
      row: 'a ping is sent after each interval of silence, also where the timeout is longer',
      test: [
        'test/unit/connection/keepalive.test.ts',
        'pings repeat after each interval, and the first unanswered one decides the end',
      ],
      file: 'src/connection/keepalive.ts',
      from: 'return this.firstProbeAt === NOT_PROBED ? pingAt : Math.min(pingAt, this.firstProbeAt + this.timeoutMs)',
      to: 'return this.firstProbeAt === NOT_PROBED ? pingAt : this.firstProbeAt + this.timeoutMs',
    },
    {
      row: 'idleTimeoutMs does not fire in the middle of an upload',
      test: [TIMERS, 'idleTimeoutMs: the bytes of an unfinished message count', BY_HANDLE],
      file: 'src/connection/connection.ts',
      from: '      this.idle?.received(receiver.dataBytes, this.now)\n      if (received instanceof MessageReceived) return received\n',
      to: '      if (received instanceof MessageReceived) {\n        this.idle?.received(receiver.dataBytes, this.now)\n        return received\n      }\n',
    },
    {
      row: "control frames, and pongs to this side's heartbeat, do not count for idleTimeoutMs",
      test: [
        TIMERS,
        'idleTimeoutMs: control frames do not count, nor pongs for the heartbeat, and the code is 1001',
        BY_HANDLE,
      ],
      file: 'src/connection/connection.ts',
      from: '    this.now = now\n    if (this.lazyKeepalive !== null) this.lazyKeepalive.alive(now)\n    // Both in this function',
      to: '    this.now = now\n    this.idle?.restart(now)\n    if (this.lazyKeepalive !== null) this.lazyKeepalive.alive(now)\n    // Both in this function',
      fails: 'hang',
      because: 'the connection never counts as idle',
    },
    {
      row: 'closeTimeoutMs does not cut a connection that makes progress',
      test: [OUTPUT, 'does not cut a connection that makes progress by closeTimeoutMs', BY_HANDLE],
      file: 'src/socket/closing-times.ts',
      from: '    this.movedAt = Math.max(this.movedAt, outputAt)\n',
      to: '',
    },
    {
      row: 'a peer that sends 1 KiB in each closeTimeoutMs is not cut',
      test: [
        TIMERS,
        'closeTimeoutMs: after our Close frame a peer that sends 1 KiB of data in each such time is not cut',
        BY_HANDLE,
      ],
      file: 'src/socket/closing-times.ts',
      from: '    this.dataBytes = dataBytes\n    this.movedAt = now\n',
      to: '    this.dataBytes = dataBytes\n',
      fails: 'hang',
      because: 'the connection is cut, and its peer waits for the rest in vain',
    },
    {
      row: 'a few bytes and pings in each closeTimeoutMs are not enough',
      test: [
        TIMERS,
        'closeTimeoutMs: after our Close frame a few bytes and pings in each such time are not enough',
        BY_HANDLE,
      ],
      file: 'src/socket/closing-times.ts',
      from: 'if (dataBytes - this.dataBytes < MIN_PROGRESS_BYTES) return',
      to: 'if (dataBytes === this.dataBytes) return',
      fails: 'hang',
      because: 'the connection never ends',
    },
    {
      row: 'close({ timeoutMs }) and server.close({ timeoutMs }) are hard totals',
      test: [
        TIMERS,
        'close({ timeoutMs }): the time is a total from the call, also for a peer that keeps reading',
        BY_HANDLE,
      ],
      file: 'src/socket/closing-times.ts',
      from: '    return now >= this.endAt || now',
      to: '    return (now >= this.endAt && now >= this.movedAt + this.timeoutMs) || now',
    },
    {
      row: 'a large write goes to a stream in slices, whose callbacks are the progress',
      test: [
        'test/unit/transport/stream-transport.test.ts',
        'goes in slices, whose callbacks show how many bytes are left: %s',
      ],
      file: 'src/transport/stream-transport.ts',
      from: '    const isWhole = bytes.length + payload.length <= WHOLE_BYTES\n',
      to: '    const isWhole = payload.length > 0\n',
    },
  ],
}
