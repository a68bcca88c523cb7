/** Known faults 3 and 4: messages that are lost, and handlers that wait. */

const MESSAGES = 'test/integration/faults-messages.test.ts'
const ENDS = 'test/integration/liveness-ends.test.ts'
const HANDLERS = 'test/integration/liveness-handlers.test.ts'
const TIMERS = 'test/integration/liveness-timers.test.ts'
const BY_HANDLE = 'server, by the handle'

/** Reading begins when `onOpen` is done. */
const READS_AFTER_OPEN = {
  file: 'src/server/accepted-socket.ts',
  from: '    void this.sink.open()\n    this.driver.start(head)\n',
  to:
    '    const opened = this.sink.open()\n    if (opened === undefined) this.driver.start(head)\n' +
    '    else\n      void opened.then(() => {\n        this.driver.start(head)\n      })\n',
}

export default {
  list: 'Known faults 3 and 4, messages and handlers',
  rows: [
    {
      row: 'messages that were received before a local close reach their handlers',
      test: [MESSAGES, 'handles all of 500 messages to an async handler after a local close', BY_HANDLE],
      file: 'src/service/dispatcher.ts',
      from: '  handleSendingOver(): void {\n    const { replies } = this\n',
      to: '  handleSendingOver(): void {\n    const { replies } = this\n    this.dropMessages()\n',
    },
    {
      row: "messages that were received before a local close reach a client's handlers",
      test: [
        MESSAGES,
        'handles all of 500 messages to an async handler after a local close',
        'client, by the handle',
      ],
      file: 'src/service/dispatcher.ts',
      from: '  handleEnd(info: CloseInfo): void {\n',
      to: '  handleEnd(info: CloseInfo): void {\n    this.dropMessages()\n',
    },
    {
      row: 'messages that were received reach their handlers when the peer is gone while the inbox is full',
      test: [
        MESSAGES,
        'handles all received messages when the peer is gone while the inbox is full',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: '  handleEnd(info: CloseInfo): void {\n',
      to: '  handleEnd(info: CloseInfo): void {\n    this.dropMessages()\n',
    },
    {
      row: 'messages that were received reach their handlers when a send notices a reset',
      test: [MESSAGES, 'handles and counts all received messages when a send notices the reset', BY_HANDLE],
      file: 'src/service/dispatcher.ts',
      from: '        if (!isLoss(event.error)) this.dropMessages()\n',
      to: '        this.dropMessages()\n',
    },
    {
      row: 'replies of async handlers are sent when the peer sends and then closes',
      test: [MESSAGES, 'sends all replies of async handlers when the peer sends and then closes', BY_HANDLE],
      file: 'src/service/dispatcher.ts',
      from: 'if (!this.owesClose || this.hasWork || this.streamTaskCount > 0) return',
      to: 'if (!this.owesClose || this.streamTaskCount > 0) return',
    },
    {
      row: 'parts of async streams are sent when the peer sends and then closes',
      test: [MESSAGES, 'sends all parts of async streams when the peer sends and then closes', BY_HANDLE],
      file: 'src/service/dispatcher.ts',
      from: 'if (!this.owesClose || this.hasWork || this.streamTaskCount > 0) return',
      to: 'if (!this.owesClose || this.hasWork) return',
    },
    {
      row: 'a FIN behind the Close frame drops nothing that the transport still holds',
      test: [MESSAGES, 'sends all of 12 MB and the answer when a FIN follows the Close frame', BY_HANDLE],
      file: 'src/connection/ending.ts',
      from: '      if (sender.byteLength > 0 || sender.output.isBlocked) return null\n',
      to: '',
    },
    {
      row: 'a FIN behind the Close frame drops nothing over TLS: the stream does not end this side by itself',
      test: [
        ENDS,
        'a FIN after the Close frame: everything queued before the answer still leaves, and the answer too',
        'server, over TLS',
      ],
      file: 'src/transport/stream-transport.ts',
      from: '    this.duplex.allowHalfOpen = true\n',
      to: '',
    },
    {
      row: 'a large rejection is not cut while its peer reads',
      test: [
        'test/integration/rejections.test.ts',
        'is sent for longer than the linger time to a peer that reads slowly and steadily',
        'by the handle',
      ],
      file: 'src/server/direct-upgrade.ts',
      from: '    if (goesOn) timerWheel.schedule(this, now + this.lingerMs)\n    else this.destroy()\n',
      to: '    if (goesOn && pendingBytes === 0) timerWheel.schedule(this, now + this.lingerMs)\n    else this.destroy()\n',
    },
    {
      row: 'a large rejection is cut when its peer reads nothing',
      test: [
        'test/integration/rejections.test.ts',
        'is cut when the peer reads nothing of it',
        'by the handle',
      ],
      file: 'src/socket/handshake-io.ts',
      from: '    return this.still < MAX_LOOKS_WITHOUT_PROGRESS\n',
      to: '    return true\n',
    },
    {
      row: 'after a 1003 no waiting message reaches a handler',
      test: [MESSAGES, 'delivers no waiting message after a 1003', BY_HANDLE],
      file: 'src/service/dispatcher.ts',
      from: '    this.dropMessages()\n    this.core.driver.fail(error.closeCode, error.message)\n',
      to: '    this.core.driver.fail(error.closeCode, error.message)\n',
    },
    {
      row: 'the answer to a Close frame waits for handlers and their replies',
      test: [
        ENDS,
        'Nothing received is lost 2: the answer to a Close frame waits for the handlers and their replies',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: 'if (!this.owesClose || this.hasWork || this.streamTaskCount > 0) return',
      to: 'if (!this.owesClose) return',
    },
    {
      row: 'the answer to a Close frame waits closeTimeoutMs at most',
      test: [
        TIMERS,
        'closeTimeoutMs: after the peer’s Close frame it is a total, and then the answer is sent',
        BY_HANDLE,
      ],
      file: 'src/socket/closing-times.ts',
      from: '    if (now < this.answerAt) return false\n',
      to: '    if (now < this.answerAt + 3_600_000) return false\n',
      fails: 'hang',
      because: 'the answer never comes',
    },
    {
      row: 'onClose is called once, last, after the handlers of all messages',
      test: [
        ENDS,
        'Nothing received is lost 4: onClose is called once, last, after the handlers of all messages',
        BY_HANDLE,
      ],
      file: 'src/service/service-end.ts',
      from: '    if (this.owner.isWorking && !this.isTimeUp) return\n',
      to: '',
    },
    {
      row: 'messages that are dropped are counted in CloseInfo and stats, beside wasClean',
      test: [
        ENDS,
        'Nothing received is lost 3: after %s messages that wait are dropped, and counted',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: '    this.droppedMessages += count\n',
      to: '',
    },
    {
      row: 'bytes that did not leave are counted in CloseInfo and stats',
      test: [
        ENDS,
        'Nothing received is lost 5: close(), socket.closed and onClose give the same CloseInfo, and stats() the sums',
        BY_HANDLE,
      ],
      file: 'src/server/server-core.ts',
      from: '      counters.bytesUnsent += info.unsentBytes\n',
      to: '',
    },
    {
      row: 'pongs do not wait for onOpen',
      test: [
        HANDLERS,
        '`onOpen` that waits: pongs do not wait for it; messages, onPing and onPong do, in order',
        BY_HANDLE,
      ],
      ...READS_AFTER_OPEN,
      fails: 'hang',
      because: 'the pong never comes',
    },
    {
      row: 'messages wait for onOpen',
      test: [
        HANDLERS,
        '`onOpen` that waits: pongs do not wait for it; messages, onPing and onPong do, in order',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: 'if (this.isOpening || this.replies?.isWaiting === true || this.running >= this.concurrency) return true',
      to: 'if (this.replies?.isWaiting === true || this.running >= this.concurrency) return true',
    },
    {
      row: 'onPing and onPong wait for onOpen',
      test: [
        HANDLERS,
        '`onOpen` that waits: pongs do not wait for it; messages, onPing and onPong do, in order',
        BY_HANDLE,
      ],
      file: 'src/service/dispatcher.ts',
      from: "        if (this.isOpening) this.observeLater(event)\n        else if (event.type === 'ping')",
      to: "        if (event.type === 'ping')",
    },
    {
      row: 'the answer to a Close frame does not wait for onOpen',
      test: [
        HANDLERS,
        '`onOpen` that waits: the Close frame is answered, and the end is reported',
        BY_HANDLE,
      ],
      ...READS_AFTER_OPEN,
      fails: 'hang',
      because: 'the answer never comes',
    },
    {
      row: 'a close that onOpen awaits is done at once',
      test: [HANDLERS, '`onOpen` that waits: a close that it awaits itself is done at once', BY_HANDLE],
      ...READS_AFTER_OPEN,
      fails: 'hang',
      because: 'the Close frame of the peer is not read before onOpen ends, which waits for it',
    },
    {
      row: 'a peer that is gone while onOpen waits is noticed, and leaves its groups',
      test: [
        HANDLERS,
        '`onOpen` that waits: a peer that is gone is noticed, by a reset and by its silence',
        BY_HANDLE,
      ],
      ...READS_AFTER_OPEN,
      fails: 'hang',
      because: 'the connection never ends',
    },
    {
      row: 'limits hold while onOpen waits',
      test: [HANDLERS, '`onOpen` that waits: limits hold', BY_HANDLE],
      ...READS_AFTER_OPEN,
      fails: 'hang',
      because: 'the message is never looked at',
    },
    {
      row: 'reading goes on while onOpen waits until the inbox is full, and no further',
      test: [
        HANDLERS,
        '`onOpen` that waits: reading goes on until the inbox is full, and no further',
        BY_HANDLE,
      ],
      file: 'src/service/inbox.ts',
      from: '    this.isHolding = true\n    this.source.hold()\n',
      to: '    this.isHolding = true\n',
    },
    {
      row: 'connect with an onOpen that waits rejects within handshakeTimeoutMs',
      test: [MESSAGES, 'rejects within handshakeTimeoutMs'],
      file: 'src/client/connected-socket.ts',
      from: 'await Promise.race([opened, ended, aborted])',
      to: 'aborted.catch(() => undefined)\n      await Promise.race([opened, ended])',
    },
    {
      row: 'connect with an onOpen that waits rejects when the peer is gone',
      test: [MESSAGES, 'rejects when the peer is gone'],
      file: 'src/client/connected-socket.ts',
      from: 'await Promise.race([opened, ended, aborted])',
      to: 'await Promise.race([opened, aborted])',
    },
    {
      row: 'connect rejects with what onOpen throws',
      test: [MESSAGES, 'rejects with what onOpen throws, sync and async'],
      file: 'src/client/connected-socket.ts',
      from: '    if (failure !== null) throw (failure as { readonly error: unknown }).error\n',
      to: '',
    },
    {
      row: 'onClose waits for a handler that never returns, but not for ever',
      test: [
        TIMERS,
        'closeTimeoutMs: after the end it is a total, then onClose is called and waiting messages are counted',
        BY_HANDLE,
      ],
      file: 'src/service/service-end.ts',
      from: '    if (!this.isCalled) timerWheel.schedule(this, monotonicNow() + Math.min(this.timeoutMs, timeLeftMs))\n',
      to: '    if (this.isCalled || timeLeftMs !== Infinity) timerWheel.schedule(this, monotonicNow() + timeLeftMs)\n',
      fails: 'hang',
      because: 'onClose is never called',
    },
    {
      row: 'socket.signal tells a handler that never returns that its connection is over',
      test: [
        HANDLERS,
        'a handler that never returns: messages wait, pings are answered, and its signal is aborted at the end',
        BY_HANDLE,
      ],
      file: 'src/socket/socket-core.ts',
      from: '    this.lazyAsked?.aborter?.abort(closedError(info))\n',
      to: '',
    },
    {
      row: 'an error that the signal of a connection causes is not reported',
      test: [
        'test/integration/review-findings.test.ts',
        'an error that a handler throws because its signal is aborted is not reported',
      ],
      file: 'src/service/dispatcher.ts',
      from: '    if (isOfTheEnd(this.socket, error)) return\n',
      to: '',
    },
  ],
}
