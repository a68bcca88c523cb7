/** Known faults 11, 12 and 13: the engine's inside, small things that a user meets, and what pretends. */

const LOOP = 'test/unit/socket/driver-loop.test.ts'
const ERRORS = 'test/integration/connect-errors.test.ts'
const CODES = 'test/integration/close-without-code.test.ts'
const ROUTER = 'test/integration/router-replies.test.ts'
const HONEST = 'test/package/honest-tests.test.ts'

export default {
  list: 'Known faults 11, 12 and 13, the engine, small things, and what pretends',
  rows: [
    {
      row: 'what handlers cause does not call the loop inside itself, however low the high-water mark is',
      test: [
        'test/unit/socket/many-messages.test.ts',
        'are each answered, paused and resumed at a high-water mark of 0: %s',
        'handle',
      ],
      file: 'src/socket/run-loop.ts',
      from: '    if (this.isRunning) {\n      this.mustRunAgain = true\n      return\n    }\n',
      to: '',
      also: [
        {
          file: 'src/socket/socket-driver.ts',
          from: '    if (this.release(Hold.CALLER)) this.runSoon()\n  }\n\n  /** The inbox is full',
          to: '    if (this.release(Hold.CALLER)) this.run(true)\n  }\n\n  /** The inbox is full',
        },
      ],
      fails: 'throw',
      because: 'the stack overflows',
    },
    {
      row: 'a throw of the owner does not wedge a connection',
      test: [LOOP, 'an owner that throws at an event or at a drain gets the next ones'],
      file: 'src/socket/run-loop.ts',
      from: '    } finally {\n      this.isRunning = false\n    }\n',
      to: '      this.isRunning = false\n    } finally {\n      this.mustWrite = false\n    }\n',
    },
    {
      row: 'a connection whose handlers always cause more work lets others have their turn',
      test: [LOOP, 'gets a message to many of the same turn after what was sent to it before'],
      file: 'src/socket/run-loop.ts',
      from: '        if (++rounds > MAX_ROUNDS) {\n',
      to: '        if (++rounds > 1e9) {\n',
    },
    {
      row: 'early bytes behind an async onUpgrade are joined at linear cost',
      test: [
        'test/unit/server/early-data.test.ts',
        'moves each byte a bounded number of times, however small the chunks are',
      ],
      file: 'src/server/early-data.ts',
      from: 'Buffer.allocUnsafeSlow(Math.max(length, 2 * this.buffer.length))',
      to: 'Buffer.allocUnsafeSlow(length)',
    },
    {
      row: 'a large broadcast is compressed on the thread pool, once',
      test: [
        'test/unit/connection/shared-compression.test.ts',
        'is compressed once on the thread pool, and counts in each connection meanwhile',
      ],
      file: 'src/connection/prepared-message.ts',
      from: '    if (by.isLarge(this.byteLength)) {\n',
      to: '    if (this.byteLength < 0) {\n',
    },
    {
      row: 'every ping of one read is answered while the peer reads',
      test: [LOOP, 'are all answered in order while the peer reads: %i'],
      file: 'src/socket/socket-driver.ts',
      from: '    connection.answersAllPings = !this.flow.isBlocked\n',
      to: '',
    },
    {
      row: 'pongs to a peer that does not read are bounded, and the newest ping is answered',
      test: [LOOP, 'are answered for the first 16 and the newest when the peer does not read'],
      file: 'src/connection/pongs.ts',
      from: '      if (isAnswer || this.late === null) this.late = Buffer.from(payload)\n',
      to: '',
    },
    {
      row: 'a handshake has its time once, from the accept on',
      test: [
        'test/integration/rejections.test.ts',
        'runs from the accept on, over head and decision together',
      ],
      file: 'src/server/upgrade.ts',
      from: '    return this.startedAt + this.core.options.limits.handshakeTimeoutMs\n',
      to: '    return performance.now() + this.core.options.limits.handshakeTimeoutMs\n',
    },
    {
      row: 'what throws after the 101 ends the connection and counts it no more',
      test: [
        'test/integration/upgrade-errors.test.ts',
        'ends the connection, counts no open connection, and is reported',
      ],
      file: 'src/server/upgrade.ts',
      from: '      core.disconnected(this.clientAddress)\n      core.reportError',
      to: '      core.reportError',
    },
    {
      row: 'what throws after the 101 is cut, since it has no owner',
      test: [
        'test/integration/upgrade-errors.test.ts',
        'ends the connection, counts no open connection, and is reported',
      ],
      file: 'src/server/upgrade.ts',
      from: '      transport.setOwner(NOBODY)\n      transport.destroy()\n',
      to: '',
      fails: 'hang',
      because: 'the client waits for ever',
    },
    {
      row: 'a cancelled compression keeps its place until its work has ended',
      test: [
        'test/unit/deflate/jobs.test.ts',
        'a job that runs keeps its place when it is cancelled, until its work has ended',
      ],
      file: 'src/deflate/jobs.ts',
      from: '        if (!isFinished) cancelWork?.()\n',
      to: '        if (!isFinished) cancelWork?.()\n        finish()\n',
    },
    {
      row: 'a pong that arrives before its ping is sent gives no round trip',
      test: [LOOP, 'gives no round trip time, though it has the same payload'],
      file: 'src/connection/keepalive.ts',
      from: '    if (now < this.pingSentAt || !this.isAnsweredBy(payload)) return\n',
      to: '    if (!this.isAnsweredBy(payload)) return\n',
    },
    {
      row: 'a reply stream is not asked for a part after return()',
      test: [
        'test/unit/service/reply-stream-end.test.ts',
        'gets one return() while it waits for room, and is not asked for a part after it',
      ],
      file: 'src/service/reply-streams.ts',
      from: '        if (this.isOver) break\n        const next = await iterator.next()\n',
      to: '        const next = await iterator.next()\n',
    },
    {
      row: 'a message to many is admitted as any other',
      test: [
        LOOP,
        '%s: two are taken after a large one on its way, and the policy decides about the third',
        'handle',
      ],
      file: 'src/socket/socket-driver.ts',
      from: "    if (!this.admits()) return 'dropped'\n",
      to: '',
    },
    {
      row: 'the process stays alive while a connection closes, and no longer',
      test: [LOOP, '%s: the timer has a reference from the Close frame to the end', 'handle'],
      file: 'src/socket/closing-times.ts',
      from: '    if (this.isKeepingAlive) timerWheel.letGo()\n',
      to: '',
    },
    {
      row: 'a transport ends when both sides have ended, the peer last',
      test: ['test/integration/handle-transport.test.ts', 'and the peer is the last to end'],
      file: 'src/native/handle-stream.ts',
      from: '    if (this.isShut) this.destroy()\n',
      to: '',
      fails: 'hang',
      because: 'the transport never ends',
    },
    {
      row: 'a transport ends when both sides have ended, this side last',
      test: ['test/integration/handle-transport.test.ts', 'and this side is the last to end'],
      file: 'src/native/handle-stream.ts',
      from: '    if (this.hasEnded) this.destroy()\n',
      to: '',
      fails: 'hang',
      because: 'the transport never ends',
    },
    {
      row: 'httpStatus is undefined where no answer came',
      test: [
        ERRORS,
        'names the URL without credentials and query, and the status only if there was one: %s',
        'silence',
      ],
      file: 'src/errors.ts',
      from: 'this.httpStatus = response?.status ?? (httpStatus === null ? undefined : row.httpStatus)',
      to: 'this.httpStatus = response?.status ?? row.httpStatus',
    },
    {
      row: 'the errors of connect name the URL, without credentials and query',
      test: [ERRORS, 'names the URL without credentials and query, and the status only if there was one: %s'],
      file: 'src/client/attempt.ts',
      from: 'throw error instanceof HandshakeError ? withUrl(error, shown) : error',
      to: 'throw error instanceof HandshakeError ? withUrl(error, target.href) : error',
    },
    {
      row: 'headers: { Cookie: [...] } is taken',
      test: [ERRORS, 'are sent as one field each, but joined for Cookie'],
      file: 'src/socket/headers-input.ts',
      from: 'if (Array.isArray(pair) && pair.length === 2 && Array.isArray(pair[1])) {',
      to: 'if (Array.isArray(pair) && pair.length > 2) {',
    },
    {
      row: 'unknown options of send are refused',
      test: [
        'test/integration/options.test.ts',
        'refuses an unknown option, and names those that there are',
        'socket.send refuses',
      ],
      file: 'src/connection/connection-options.ts',
      from: "  checkOptionNames('options', options, SEND_CHECKS, SEND_ADVICE)\n",
      to: '',
    },
    {
      row: 'unknown names in a service are refused, { open, message } and concurency among them',
      test: [
        'test/unit/service/service-names.test.ts',
        'are refused when they nearly match a handler or an option: %s',
      ],
      file: 'src/service/service-names.ts',
      from: '      if (isMethod || options.includes(meant)) throw unknown(name, key, known)\n',
      to: '',
    },
    {
      row: 'unknown names in a plain service are refused',
      test: ['test/unit/service/service-names.test.ts', 'the names of a plain object'],
      file: 'src/service/service-names.ts',
      from: '    for (const key of Object.keys(service)) if (!known.includes(key)) throw unknown(name, key, known)\n    return\n',
      to: '    return\n',
    },
    {
      row: 'a route /*rest takes /',
      test: [
        'test/integration/service-routes.test.ts',
        'lead %s to %s: an equal segment goes before a parameter, and that before a rest',
      ],
      file: 'src/server/path-matching.ts',
      from: '  return node.rest\n}\n',
      to: "  return segment === '' ? null : node.rest\n}\n",
    },
    {
      row: 'close(1005) is a close without a code, since onClose gives 1005',
      test: [CODES, 'is what %s sends for 1005'],
      file: 'src/frame/close-code.ts',
      from: '    if (!isValidCloseCode(code) && !isNoCode(code)) {\n',
      to: '    if (!isValidCloseCode(code)) {\n',
    },
    {
      row: 'a proxy that hands on 1005 leaks neither side',
      test: [CODES, 'goes through a proxy in both directions, and neither side of it is left'],
      file: 'src/frame/close-code.ts',
      from: '    if (!isValidCloseCode(code) && !isNoCode(code)) {\n',
      to: '    if (!isValidCloseCode(code)) {\n',
      fails: 'hang',
      because: 'the other side of the proxy is left',
    },
    {
      row: 'close(1006) is an error that says what to use instead',
      test: [CODES, 'is not sent for 1006, and the error says what to use instead'],
      file: 'src/frame/close-code.ts',
      from: '    if (code === CloseCode.ABNORMAL_CLOSURE) {\n',
      to: '    if (code === CloseCode.TLS_HANDSHAKE) {\n',
    },
    {
      row: 'a call that throws in a router can have an error as its reply',
      test: [
        ROUTER,
        'gives the reply to a call that throws, rejects or fails within its stream, and the connection stays open',
      ],
      file: 'src/json/router.ts',
      from: 'onMessage: onFailure === undefined ? call : guarded(call, onFailure),',
      to: 'onMessage: call,',
      fails: 'throw',
      because: 'the connection is closed with 1011, which its reader gets in place of the reply',
    },
    {
      row: 'an unknown type and a wrong value do not look the same to a router',
      test: [ROUTER, 'is reported by its kind: unreadable, of an unknown type, or with a wrong value'],
      file: 'src/json/router.ts',
      from: "throw new InvalidMessageError(1007, NO_HANDLER, { kind: 'unknownType' })",
      to: 'throw new InvalidMessageError(1007, NO_HANDLER)',
    },
    {
      row: 'both ways to load the package share one copy of the code',
      test: [
        'test/package/one-copy.test.ts',
        'shares classes, and takes decisions, replies, errors and prepared messages of the other way',
      ],
      file: 'scripts/build.mjs',
      from: "const from = path.relative(path.dirname(esm), cjs).replaceAll(path.sep, '/')",
      to: "const from = path.relative(path.dirname(esm), cjs.replace('/cjs/', '/copy/')).replaceAll(path.sep, '/')",
      also: [
        {
          file: 'scripts/build.mjs',
          from: "    await writeCode(source, cjs, 'cts')\n",
          to:
            "    await writeCode(source, cjs, 'cts')\n    await writeCode(source, path.join(staging, 'copy'), 'cts')\n" +
            '    await write(path.join(staging, \'copy/package.json\'), \'{"type":"commonjs"}\')\n',
        },
      ],
    },
    {
      row: 'TypeScript 5.4, with which NoInfer came, is what the types need',
      without:
        'Hawser asks for TypeScript 5.4 instead of leaving NoInfer out: README.md and docs/guides/typescript.md say so, and `npm run ' +
        'package:check` compiles with it',
    },
    {
      row: 'docs/errors.md has whole sentences',
      without:
        'half a sentence was finished: no code depends on it. That its tables are those of the code is a row of its own',
    },
    {
      row: 'no test file says that it is being written',
      test: [HONEST, 'complain about each of them in its own line, and about nothing that is honest'],
      file: 'eslint.config.mjs',
      from: "      'honesty/no-promises': 'error',\n",
      to: '',
    },
    {
      row: 'each test asserts something',
      test: [HONEST, 'complain about each of them in its own line, and about nothing that is honest'],
      file: 'eslint.config.mjs',
      from: "      'jest/expect-expect': ['error', { assertFunctionNames: ASSERTIONS }],\n",
      to: '',
    },
    {
      row: 'the layers check has no rule for a room that does not exist',
      test: ['test/package/layers.test.ts', 'are there, every file and room of every rule'],
      file: '.dependency-cruiser.mjs',
      from: "const shared = ['^src/(check|error-codes|errors|inspect|limits)[.]ts$']",
      to: "const shared = ['^src/(check|codec|error-codes|errors|inspect|limits)[.]ts$']",
    },
    {
      row: 'the tables of the docs are those of the code',
      test: ['test/package/docs-tables.test.ts', 'docs/errors.md has every code, in order'],
      file: 'docs/errors.md',
      from: '| `HAWSER_UNEXPECTED_CONTINUATION` |',
      to: '| `HAWSER_UNEXPECTED_CONTINUATIONS` |',
    },
    {
      row: 'docs/performance.md has no empty table, and its results are of a whole tree',
      test: [
        'test/unit/benchmarks/documents.test.ts',
        'has no empty table, and no figure that was written by hand',
      ],
      file: 'docs/performance.md',
      from: 'move by half and more. But another processor',
      to: 'move by 1.5 x and more. But another processor',
    },
  ],
}
