/** Known faults 5, 6 and 7: errors that vanish, values that are sent by accident, and bytes that are not the receiver's. */

const UPGRADE = 'test/integration/upgrade-errors.test.ts'
const CLIENT = 'test/integration/client-errors.test.ts'
const VALUES = 'test/integration/faults-values.test.ts'
const ASYNC = 'gives a 500 and a TypeError that says so, and no unhandled rejection: %s'

export default {
  list: 'Known faults 5, 6 and 7, errors, values and memory',
  rows: [
    {
      row: 'what onUpgrade throws, or wrongly returns, is heard once: by onError, or as a warning',
      test: [UPGRADE, 'is reported to onError, or by one warning without it: %s'],
      file: 'src/server/upgrade.ts',
      from: "    this.core.reportError(toError(thrownOrDecided(error)), 'the decision on an upgrade')\n  }\n\n  private markDecided",
      to: '  }\n\n  private markDecided',
    },
    {
      row: 'an onUpgrade that returns nothing lets nobody in where a framework routes: a return may have been forgotten',
      test: [
        'test/integration/adapters/framework-errors.test.ts',
        'refuses with 500 where onUpgrade returns %s, and onError hears it once',
        'Express 5 refuses with 500 where onUpgrade returns nothing, where return was forgotten',
      ],
      file: 'src/adapters/framework-upgrades.ts',
      from: 'service.onUpgrade === undefined ? ACCEPT : await service.onUpgrade(this.info)\n',
      to: '(await service.onUpgrade?.(this.info)) ?? ACCEPT\n',
    },
    {
      row: 'an error of the server that no onError hears is a warning, once in a while',
      test: [UPGRADE, 'is reported to onError, or by one warning without it: %s'],
      file: 'src/socket/warnings.ts',
      from: '  if (now - (codes.get(code) ?? -Infinity) < WARNING_INTERVAL_MS) return\n',
      to: '',
    },
    {
      row: 'an onError of the server that throws swallows nothing',
      test: [UPGRADE, 'causes a warning when onError itself fails: %s'],
      file: 'src/check.ts',
      from: '  } catch (thrown) {\n    failed(thrown)\n  }\n',
      to: '  } catch {\n    // As it is.\n  }\n',
    },
    {
      row: "what a client's handlers throw is a warning without onError",
      test: [CLIENT, 'a message handler that %s causes a process warning when there is no onError'],
      file: 'src/client/connected-socket.ts',
      from: "    warnAtIntervals(this.handlers, 'HAWSER_UNHANDLED_HANDLER_ERROR', what, error)\n",
      to: '',
    },
    {
      row: 'an onError of a client that throws swallows nothing',
      test: [CLIENT, 'an onError that throws causes a warning, and still received the first error'],
      file: 'src/check.ts',
      from: '  } catch (thrown) {\n    failed(thrown)\n  }\n',
      to: '  } catch {\n    // As it is.\n  }\n',
    },
    {
      row: 'an error that onError receives is not a warning as well',
      test: [CLIENT, 'an error that onError receives causes no warning'],
      file: 'src/service/handler-errors.ts',
      from: '  core.handleFailure(error, isOfPeer || handlers.onError !== undefined)\n',
      to: '  core.handleFailure(error, isOfPeer)\n',
    },
    {
      row: 'an async protocols is refused with a TypeError that says so',
      test: [UPGRADE, ASYNC, 'protocols that'],
      file: 'src/server/upgrade.ts',
      from: '    refusePromise(\n      chosen,\n',
      to: '    ignorePromise(\n      chosen,\n',
      also: [
        {
          file: 'src/server/upgrade.ts',
          from: 'export const NO_FIELDS = HeaderFields.fromPairs([])\n',
          to: 'export const NO_FIELDS = HeaderFields.fromPairs([])\nconst ignorePromise = (..._given: unknown[]): void => undefined\n',
        },
      ],
    },
    {
      row: 'an async function in origins is refused with a TypeError, and lets nobody in',
      test: [UPGRADE, ASYNC, 'origins that resolves'],
      file: 'src/handshake/origin.ts',
      from: 'isYes(rule(origin), RULE, INSTEAD)',
      to: 'Boolean(rule(origin)) || isYes(false, RULE, INSTEAD)',
    },
    {
      row: 'a codec whose encode is async fails by name, and without an unhandled rejection',
      test: [
        'test/integration/router-replies.test.ts',
        'fails the handler by name when it %s, for a reply and for a part of one',
      ],
      file: 'src/service/codec.ts',
      from: "  refusePromise(data, 'codec.encode must return text or bytes, not a promise: it must not be async')\n",
      to: '',
    },
    {
      row: 'an async filter fails closed: no member gets the message',
      test: ['test/unit/hub/hub.test.ts', 'an async filter is a TypeError, and no member gets the message'],
      file: 'src/socket/fan-out.ts',
      from: "isYes(filter(member), 'filter must return true or false', ': it must not be async')",
      to: "passes(filter(member)) || isYes(false, '', '')",
      also: [
        {
          file: 'src/socket/fan-out.ts',
          from: '/** The recipients as a list',
          to: 'const passes = (answer: unknown): boolean => (void Promise.resolve(answer).catch(() => undefined), Boolean(answer))\n\n/** The recipients as a list',
        },
      ],
    },
    {
      row: 'a filter that throws for one fails for all',
      test: [
        'test/unit/socket/fan-out.test.ts',
        'are none when the filter throws: the caller gets the error, and no socket gets the message',
      ],
      file: 'src/socket/fan-out.ts',
      from: 'const chosen = options?.filter === undefined ? members : choose(members, isExcepted, options.filter)',
      to: 'const chosen = options?.filter === undefined ? members : chooseLater(members, options.filter)',
      also: [
        {
          file: 'src/socket/fan-out.ts',
          from: '/** The recipients as a list: a filter that fails for one fails for all. */\n',
          to:
            'function* chooseLater<S>(members: Iterable<S>, filter: (member: S) => boolean): Iterable<S> {\n' +
            '  for (const member of members) if (filter(member)) yield member\n}\n\n' +
            '/** The recipients as a list: a filter that fails for one fails for all. */\n',
        },
      ],
    },
    {
      row: 'a backplane whose async methods reject ends no process, and is reported',
      test: [
        'test/unit/backplane/local-node.test.ts',
        'whose %s %s is reported and counted, and has no other effect',
        'whose watch rejects',
      ],
      file: 'src/backplane/backplane-calls.ts',
      from: '    Promise.resolve(result).catch((error: unknown) => {\n      this.fail(error)\n    })\n',
      to: '',
    },
    {
      row: 'an onClose whose promise has a then that throws ends its connection, and is reported',
      test: [
        'test/integration/faults-rows.test.ts',
        'an onClose that returns a thenable that throws is reported, and server.close waits for nothing',
      ],
      file: 'src/service/service-end.ts',
      from: '    if (isThenable(result)) void this.finishLater(result)\n',
      to: '    if (isThenable(result)) result.then(() => this.finish())\n',
    },
    {
      row: 'terminate() in the function of a route calls onClose',
      test: [
        'test/integration/faults-rows.test.ts',
        'terminate in the function of a route calls onClose, after the function and onOpen',
      ],
      file: 'src/server/upgrade.ts',
      from: '        core.use(checkMade(route.factory(core.socket)))\n',
      to:
        '        const made = checkMade(route.factory(core.socket))\n' +
        '        if (core.socket.readyState !== 1) return\n        core.use(made)\n',
      fails: 'hang',
      because: 'onClose is never called',
    },
    {
      row: 'terminate() runs nothing inside its call',
      test: ['test/integration/faults-rows.test.ts', 'terminate returns before onClose is called, %s'],
      file: 'src/socket/socket-driver.ts',
      from: '    this.release(Hold.START)\n    this.reportState()\n    this.runSoon()\n  }\n\n  receive',
      to: '    this.release(Hold.START)\n    this.reportState()\n    this.run(true)\n  }\n\n  receive',
    },
    {
      row: 'what onOpen returns is not a reply',
      test: [VALUES, 'is ignored for onOpen, onPing, onPong, onDrain and onIdleTimeout'],
      file: 'src/service/dispatcher.ts',
      from: '      if (isThenable(result)) return this.finishOpen(result, fail)\n',
      to: "      if (isThenable(result)) return this.finishOpen(result, fail)\n      this.sentReplies.send(result, '')\n",
    },
    {
      row: 'what onPing, onPong and onDrain return is not a reply',
      test: [VALUES, 'is ignored for onOpen, onPing, onPong, onDrain and onIdleTimeout'],
      file: 'src/service/dispatcher.ts',
      from: '    if (!isThenable(result)) return\n    Promise.resolve(result).then(undefined',
      to: "    if (!isThenable(result)) {\n      this.sentReplies.send(result, '')\n      return\n    }\n    Promise.resolve(result).then(undefined",
    },
    {
      row: "a boolean of Hawser's own methods is not sent under a codec",
      test: [VALUES, 'is not a reply when it comes from one of Hawser’s own methods'],
      file: 'src/service/replies.ts',
      from: "if (value === undefined || typeof value === 'boolean' || value instanceof NoReply) return",
      to: 'if (value === undefined || value instanceof NoReply) return',
    },
    {
      row: 'what broadcast returns is not sent under a codec',
      test: ['test/integration/review-findings.test.ts', 'are not replies, %s', 'under a codec'],
      file: 'src/service/replies.ts',
      from: "if (value === undefined || typeof value === 'boolean' || value instanceof NoReply) return",
      to: "if (value === undefined || typeof value === 'boolean') return",
    },
    {
      row: 'undefined, null, booleans and numbers are ignored without a codec',
      test: [VALUES, 'is ignored when it is undefined, null, a boolean or a number', 'server, by the handle'],
      file: 'src/service/replies.ts',
      from: "  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return\n",
      to: '  if (value === undefined || value === null) return\n',
    },
    {
      row: 'any other object is a TypeError that names the handler, not dropped in silence',
      test: [VALUES, 'causes a TypeError that names the handler when it is %s', 'server, by the handle'],
      file: 'src/service/replies.ts',
      from: '  throw noReply(value, `what ${from} returns`)\n',
      to: '  void from\n',
      fails: 'hang',
      because: 'nothing is said, and the connection goes on',
    },
    {
      row: 'a Blob, an iterable and a PreparedMessage are replies',
      test: [
        VALUES,
        'is sent, in order, when it is a string, bytes, a PreparedMessage, a Blob or an iterable',
        'server, by the handle',
      ],
      file: 'src/service/dispatcher.ts',
      from: '    } else if (isBlob(result)) {\n      this.finishLater(bytesOf(result), message)\n',
      to: '    } else if (isBlob(result)) {\n      void bytesOf(result)\n',
    },
    {
      row: 'a short message owns its memory, by every transport',
      test: [VALUES, 'owns its memory, small and large, and keeps no more alive', 'server, by the handle'],
      file: 'src/connection/receiver.ts',
      from: 'return this.isBorrowed ? copyOwn(source, start, end) : source.subarray(start, end)',
      to: 'return source.subarray(start, end)',
    },
    {
      row: 'a large message owns its memory, by every transport',
      test: [VALUES, 'owns its memory, small and large, and keeps no more alive', 'server, over TLS'],
      file: 'src/connection/receiver.ts',
      from: 'return new MessageReceived(this.isBorrowed ? part.copy() : part.payload)',
      to: 'return new MessageReceived(part.payload)',
    },
    {
      row: 'a stream lends its chunks: what is transferred takes no later frame with it',
      test: [
        VALUES,
        'can be transferred to a worker without harm to later messages',
        'server, by the stream',
      ],
      file: 'src/socket/socket-driver.ts',
      from: '    connection.receiveBytes(chunk, now, true)\n    this.run(true)\n',
      to: '    connection.receiveBytes(chunk, now, false)\n    this.run(true)\n',
      fails: 'hang',
      because: 'the frames behind are gone with the memory',
    },
    {
      row: 'the payload of a ping owns its memory',
      test: [VALUES, 'the payloads of pings, pongs and fragments own their memory, directIo %p'],
      file: 'src/connection/receiver.ts',
      from: 'return new ControlFrame(part.opcode, this.isBorrowed ? part.copy() : part.payload)',
      to: 'return new ControlFrame(part.opcode, part.payload)',
    },
    {
      row: 'a short message that is kept keeps no read buffer alive',
      test: [
        VALUES,
        'keeps alive neither read buffers nor small messages that were kept, directIo %p',
        'directIo false',
      ],
      file: 'src/connection/receiver.ts',
      from: 'return this.isBorrowed ? copyOwn(source, start, end) : source.subarray(start, end)',
      to: 'return source.subarray(start, end)',
    },
    {
      row: 'an idle parser holds no chunk',
      test: ['test/adversarial/frame-memory.test.ts', 'an idle parser holds no chunk'],
      file: 'src/frame/frame-input.ts',
      from: '    if (waiting === null) {\n      this.chunk = EMPTY\n      this.wholeSource = EMPTY\n',
      to: '    if (waiting === null) {\n      this.position = this.chunk.length\n',
    },
  ],
}
