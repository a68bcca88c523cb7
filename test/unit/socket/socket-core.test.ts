/** What every socket does, of a server and of a client: over a line in memory, with nothing of either around it. */
import { inspect } from 'node:util'
import { ConnectionClosedError } from '../../../src/errors.js'
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { coreOf, jsonText, shownFields } from '../../../src/socket/base-socket.js'
import { EndOfConnection } from '../../../src/socket/end-of-connection.js'
import { fanOut } from '../../../src/socket/fan-out.js'
import { closeFrame, frame, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import type { Line } from '../../helpers/model-line.js'
import { endAll, open, type Opened } from '../../helpers/plain-socket.js'

afterEach(endAll)

const framesOf = (line: Line): string[] =>
  readFrames(line.system.read(Infinity)).frames.map((one) =>
    one.opcode === OP.CLOSE ? `close ${one.closeCode} ${one.closeReason}` : `${one.opcode} ${one.text}`,
  )

describe('a socket', () => {
  it('shows what the handshake agreed on, and how its connection is', () => {
    const { socket, core } = open()
    const { url, protocol, extensions, secure, remoteAddress, data, readyState } = socket
    expect({ url, protocol, extensions, secure, remoteAddress, data, readyState }).toEqual({
      url: '/chat?room=1',
      protocol: 'v1',
      extensions: 'x-none',
      secure: true,
      remoteAddress: '192.0.2.1',
      data: 'own',
      readyState: 1,
    })
    expect([socket.bufferedAmount, socket.rttMs]).toEqual([0, undefined])
    socket.send('Hello')
    expect(socket.bufferedAmount).toBe(7)
    expect(coreOf(socket)).toBe(core)
  })

  it('has an id of its own, the same at each look', () => {
    const [one, other] = [open().socket, open().socket]
    expect(one.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect([one.id === one.id, one.id === other.id]).toEqual([true, false])
  })

  it('is known from anything else', () => {
    expect([null, undefined, 'x', {}, () => undefined].map((value) => coreOf(value))).toEqual(
      Array(5).fill(null),
    )
  })

  it('is logged with its state as a word', async () => {
    const { socket, line } = open()
    const states = [shownFields(socket)['readyState']]
    void socket.close(1000)
    states.push(shownFields(socket)['readyState'])
    line.deliver(closeFrame(1000, '', { key: KEY }))
    await nextTurn()
    line.deliverEnd()
    await nextTurn()
    states.push(shownFields(socket)['readyState'])
    expect(states).toEqual(['open', 'closing', 'closed'])
    const { id, url, protocol } = socket
    expect(shownFields(socket)).toEqual({
      ...{ readyState: 'closed', id, url, protocol },
      ...{ bufferedAmount: 0, remoteAddress: '192.0.2.1' },
    })
  })

  it('sends messages, JSON, pings and pongs', async () => {
    const { socket, line } = open()
    expect([
      socket.send('text'),
      socket.send(new PreparedMessage('prepared')),
      socket.sendJson({ a: [1] }),
      socket.ping('p'),
      socket.pong('q'),
      socket.ping(),
    ]).toEqual(Array(6).fill(true))
    await nextTurn()
    expect(framesOf(line)).toEqual(['1 text', '1 prepared', '1 {"a":[1]}', '9 p', '10 q', '9 '])
  })

  it('has the round trip of the last ping that was answered', async () => {
    const { socket, line } = open()
    socket.ping('p')
    await nextTurn()
    line.deliver(frame({ opcode: OP.PONG, payload: 'p', key: KEY }))
    expect(socket.rttMs).toBeGreaterThan(0)
  })

  it('gets a message that goes to many', async () => {
    const { socket, line } = open()
    expect(fanOut([socket], 'to all')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    await nextTurn()
    expect(framesOf(line)).toEqual(['1 to all'])
    socket.terminate()
    expect(fanOut([socket], 'to all')).toEqual({ sent: 0, dropped: 0, failed: 1 })
  })

  it('pauses and resumes', async () => {
    const { socket, line, core } = open()
    await nextTurn()
    expect(line.isReading).toBe(true)
    socket.pause()
    expect(line.isReading).toBe(false)
    socket.resume()
    await nextTurn()
    expect(line.isReading).toBe(true)
    expect(core.told).toEqual(['resume'])
  })

  it('sends nothing where its arguments have a callback', () => {
    const { socket } = open()
    const callback = (): void => undefined
    const calls: Record<string, () => unknown> = {
      'send(data, options) takes no further argument, and was given a function: there is no callback; false means that the message waits or was not taken: see drained() and onDrain':
        () => socket.send('x', undefined, callback),
      'sendJson(value, options) takes no further argument, and was given a function: there is no callback; false means that the message waits or was not taken: see drained() and onDrain':
        () => socket.sendJson('x', undefined, callback),
      'write(data, options) takes no further argument, and was given a function: there is no callback; the call returns a promise':
        () => socket.write('x', undefined, callback),
      'ping(data) takes no further argument, and was given true: there is neither a mask nor a callback; the pong is reported to onPong':
        () => socket.ping('x', true),
      'ping(data) takes no further argument, and was given a function: there is neither a mask nor a callback; the pong is reported to onPong':
        () => socket.ping('x', undefined, callback),
      'pong(data) takes no further argument, and was given false: there is neither a mask nor a callback; the pong is reported to onPong':
        () => socket.pong('x', false),
      'pong(data) takes no further argument, and was given a function: there is neither a mask nor a callback; the pong is reported to onPong':
        () => socket.pong('x', undefined, callback),
    }
    for (const [message, call] of Object.entries(calls)) expect(call).toThrow(new TypeError(message))
    expect(socket.bufferedAmount).toBe(0)
  })
})

describe('jsonText', () => {
  it('has a text for what JSON has one for, and throws for anything else', () => {
    expect([jsonText(null), jsonText('x'), jsonText([1])]).toEqual(['null', '"x"', '[1]'])
    for (const [value, type] of [
      [undefined, 'undefined'],
      [() => undefined, 'function'],
      [Symbol('x'), 'symbol'],
    ] as const) {
      expect(() => jsonText(value)).toThrow(
        new TypeError(`value must be one that JSON has text for, not ${type}`),
      )
    }
  })
})

describe('the end of a socket', () => {
  const CLEAN = {
    code: 1000,
    reason: 'done',
    wasClean: true,
    initiator: 'local',
    droppedMessages: 0,
    unsentBytes: 0,
  }

  async function endCleanly({ line }: Opened): Promise<void> {
    await nextTurn()
    line.deliver(closeFrame(1000, 'done', { key: KEY }))
    await nextTurn()
    line.deliverEnd()
    await nextTurn()
    await nextTurn()
  }

  it('is told once to each part, and to all that wait for it', async () => {
    const opened = open()
    const { core, socket } = opened
    const { closed, signal } = socket
    expect(socket.closed).toBe(closed)
    const closing = socket.close(1000, 'done')
    const second = socket.close(1001, 'late')
    expect([core.hasEnded, signal.aborted]).toEqual([false, false])
    await endCleanly(opened)
    const infos = await Promise.all([closed, closing, second, socket.closed, socket.close(1000)])
    for (const info of infos) expect({ ...info }).toEqual(CLEAN)
    expect(core.told).toEqual([
      ...['closing', 'sendingOver', 'closeReceived 1000 done', 'detach 1000'],
      ...['end 1000 dropped 0', 'closed 1000 done clean local'],
    ])
    expect(core.hasEnded).toBe(true)
    expect(signal.reason).toBeInstanceOf(ConnectionClosedError)
    expect(signal.reason).toMatchObject({ closeCode: 1000, reason: 'done' })
  })

  it('aborts a signal that is first read afterwards', async () => {
    const opened = open()
    void opened.socket.close(1000, 'done')
    await endCleanly(opened)
    const { signal } = opened.socket
    expect([signal.aborted, opened.socket.signal === signal]).toEqual([true, true])
    expect(signal.reason).toMatchObject({ code: 'HAWSER_CONNECTION_CLOSED', closeCode: 1000 })
  })

  it('has the messages that nobody got, now and in the final count', async () => {
    const { core, socket } = open()
    core.droppedMessages = 3
    socket.terminate()
    await nextTurn()
    const info = await socket.closed
    expect([info.droppedMessages, info.code, Object.isFrozen(info)]).toEqual([3, 1006, true])
    core.droppedMessages = 5
    const final = core.finalInfo(info)
    expect([final.droppedMessages, final.code]).toEqual([5, 1006])
    expect(final).toBeInstanceOf(EndOfConnection)
    expect(inspect(final)).toBe(
      "CloseInfo {\n  code: 1006,\n  reason: '',\n  wasClean: false,\n  initiator: 'local',\n  droppedMessages: 5,\n  unsentBytes: 0\n}",
    )
  })

  it('by terminate gives up what waits, at once', async () => {
    const { core, socket, line } = open()
    line.deliver(frame({ opcode: OP.TEXT, payload: 'x', key: KEY }))
    socket.terminate()
    expect(line.isDestroyed).toBe(true)
    expect(core.told).toEqual(['text "x"', 'closing', 'sendingOver', 'terminated'])
    await nextTurn()
    expect(core.told.slice(4)).toEqual(['detach 1006', 'end 1006 dropped 0', 'closed 1006  unclean local'])
  })

  it('is told to all that wait before the messages that still wait, and only once', async () => {
    const { core, socket, line } = open()
    const { closed } = socket
    core.driver.hold()
    line.deliver(frame({ opcode: OP.TEXT, payload: 'waits', key: KEY }))
    line.reset()
    const info = await closed
    expect(core.told).toEqual(['closing', 'sendingOver', 'detach 1006', 'end 1006 dropped 0'])
    core.driver.unhold()
    await nextTurn()
    expect(core.told.slice(4)).toEqual([
      'text "waits"',
      'error HAWSER_TRANSPORT',
      'closed 1006  unclean remote',
    ])
    expect(await socket.closed).toBe(info)
  })

  it('needs nobody who waits: also of a socket whose id alone was read', async () => {
    const { core, socket } = open()
    expect(socket.id).not.toBe('')
    socket.terminate()
    await nextTurn()
    expect(core.told.at(-1)).toBe('closed 1006  unclean local')
  })

  it('is waited for by `await using`, with 1000', async () => {
    const opened = open()
    let isDone = false
    const done = opened.socket[Symbol.asyncDispose]().then(() => {
      isDone = true
    })
    await nextTurn()
    expect([isDone, framesOf(opened.line)]).toEqual([false, ['close 1000 ']])
    await endCleanly(opened)
    await done
    expect(isDone).toBe(true)
  })

  it('does not begin for wrong arguments', () => {
    const { socket } = open()
    expect(() => socket.close(1006)).toThrow(RangeError)
    expect(() => socket.close(1000, 5 as unknown as string)).toThrow('close reason must be a string, not 5')
    expect(() => socket.close(1000, 'x', { timeoutMs: -1 })).toThrow(
      new RangeError('timeoutMs must be a number from 0 to Infinity, not -1'),
    )
    expect(socket.readyState).toBe(1)
  })

  it('goes on where a signal ends the wait of one caller', async () => {
    const opened = open()
    const aborter = new AbortController()
    const waiting = opened.socket.close(1000, 'done', { signal: aborter.signal })
    aborter.abort(new Error('no patience'))
    await expect(waiting).rejects.toThrow('no patience')
    await endCleanly(opened)
    await expect(opened.socket.closed).resolves.toMatchObject(CLEAN)
  })

  it('is cut when the time of the caller is over', async () => {
    const { socket } = open()
    const info = await socket.close(1000, 'done', { timeoutMs: 20 })
    expect(info).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
  })
})
