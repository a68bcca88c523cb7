/** How a connection ends where its owner answers the peer's Close frame itself, and what is counted as unsent. */
import { Connection, ReadyState, type ConnectionOptions } from '../../../src/connection/connection.js'
import { ClosingHandshake } from '../../../src/connection/closing-handshake.js'
import { LimitError, TransportError } from '../../../src/errors.js'
import { closeFrame, frame, KEY, OP } from '../../helpers/frame-builder.js'
import { pullAll, pullLines, takeAll, takeLines } from '../../helpers/pull.js'

const server = (options: Partial<ConnectionOptions> = {}): Connection =>
  new Connection({ role: 'server', ...options })

/** A server that has received the peer's Close frame and has not answered it. */
function closedByPeer(code?: number): Connection {
  const one = server({ autoClose: false })
  one.receiveBytes(closeFrame(code, '', { key: KEY }))
  expect(pullLines(one)).toEqual([`closeReceived ${String(code ?? 1005)} `])
  return one
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const tooSlow = (): LimitError => new LimitError('HAWSER_SLOW_CONSUMER', 1, 2)

describe('RFC 6455 5.5.1: the peer closed, and the owner answers', () => {
  test('nothing is answered before answerClose, and messages may still be sent', () => {
    const one = closedByPeer(1001)
    expect([one.owesClose, one.isSendable, one.readyState]).toEqual([true, true, ReadyState.CLOSING])
    expect([one.takeOutput(), one.transportShouldClose()]).toEqual([null, 'no'])
    expect(one.send('last')).toBe(true)
    one.answerClose()
    expect([one.owesClose, one.isSendable, one.transportShouldClose()]).toEqual([false, false, 'now'])
    one.answerClose()
    expect(takeLines(one)).toEqual(['1 last', '8 1001 '])
    expect(one.closeInfo).toMatchObject({ code: 1001, wasClean: true, initiator: 'remote' })
  })

  test('close answers with a code of its own, and the code of the peer is reported', () => {
    const one = closedByPeer(1001)
    one.close(1000, 'done')
    expect(takeLines(one)).toEqual(['8 1000 done'])
    one.transportLost()
    expect(pullLines(one)).toEqual(['closed 1001  clean remote'])
  })

  test('fail answers with the code of the failure, and the code of the peer is reported', () => {
    const one = closedByPeer(1001)
    one.fail(1011, 'a handler threw')
    one.fail(1008, 'not a second time')
    expect([one.owesClose, one.transportShouldClose()]).toEqual([false, 'now'])
    expect(takeLines(one)).toEqual(['8 1011 a handler threw'])
    one.transportLost()
    expect(pullLines(one)).toEqual(['closed 1001  clean remote'])
  })

  test('a limit of this side answers as well, and what was dropped before the answer leaves the end clean', () => {
    const one = closedByPeer(1001)
    one.send('dropped')
    one.failOverLimit(tooSlow(), true)
    expect(takeLines(one)).toEqual([expect.stringMatching(/^8 1008 /)])
    expect(one.closeInfo).toMatchObject({ code: 1001, wasClean: true, unsentBytes: 9 })
    one.transportLost()
    expect(pullLines(one)).toEqual(['error HAWSER_SLOW_CONSUMER', 'closed 1001  clean remote'])
  })

  test('the end of the peer side waits for the answer', () => {
    const one = closedByPeer(1000)
    one.receiveEnd()
    expect(pullLines(one)).toEqual([])
    expect([one.owesClose, one.send('last')]).toEqual([true, true])
    one.answerClose()
    expect(takeLines(one)).toEqual(['1 last', '8 1000 '])
    expect(pullLines(one)).toEqual(['closed 1000  clean remote'])
  })

  test('a loss before the answer is an error, and no answer is owed any more', () => {
    const one = closedByPeer(1000)
    const error = new TransportError('reset')
    one.transportLost(error)
    expect([one.owesClose, one.isSendable]).toEqual([false, false])
    one.answerClose()
    expect(one.takeOutput()).toBeNull()
    expect(pullAll(one)).toEqual([
      { type: 'error', error },
      expect.objectContaining({ type: 'closed', code: 1000, wasClean: false, initiator: 'remote' }),
    ])
  })

  test('a Close frame without a code is answered by one without a code', () => {
    const one = closedByPeer()
    one.answerClose()
    expect(takeLines(one)).toEqual(['8 empty'])
  })
})

describe('RFC 6455 7.1.5 and 7.1.6: the code and reason of an end that has begun', () => {
  test('are those of this side while it waits for the peer, then those of the peer', () => {
    const one = server()
    expect(one.endsWith).toMatchObject({ code: 1006, reason: '' })
    one.close(4000, 'mine')
    expect(one.endsWith).toEqual({ code: 4000, reason: 'mine' })
    one.receiveBytes(closeFrame(4001, 'yours', { key: KEY }))
    pullAll(one)
    expect(one.endsWith).toMatchObject({ code: 4001, reason: 'yours' })
  })

  test('are 1005 and empty where this side closes without a code', () => {
    const one = server()
    one.close()
    expect(one.endsWith).toEqual({ code: 1005, reason: '' })
  })

  test('are those of a failure, whose reason is empty unless it is given', () => {
    const one = server()
    one.fail(1011)
    expect(one.endsWith).toMatchObject({ code: 1011, reason: '' })
    expect(takeLines(one)).toEqual(['8 1011 '])
    one.transportLost()
    expect(pullLines(one)).toEqual(['closed 1011  unclean engine'])
  })

  test('are those known so far where a step was taken without them', () => {
    const closing = new ClosingHandshake()
    closing.step('localClose')
    expect(closing.endsWith).toMatchObject({ code: 1006, reason: '' })
  })
})

describe('the state of a connection whose transport ended', () => {
  test('a half-closed connection takes no more messages, and is closed once its output has left', () => {
    const one = server()
    one.send('before')
    one.receiveEnd()
    expect(pullLines(one)).toEqual([])
    expect([one.send('after'), one.isSendable, one.transportShouldClose()]).toEqual([false, false, 'now'])
    expect(one.readyState).toBe(ReadyState.CLOSING)
    expect(takeLines(one)).toEqual(['1 before'])
    expect(pullLines(one)).toEqual(['closed 1006  unclean remote'])
    expect(one.readyState).toBe(ReadyState.CLOSED)
  })

  test('closed waits while the transport is blocked, although nothing waits here', () => {
    const one = server()
    one.setBlocked(true)
    one.receiveEnd()
    expect(pullLines(one)).toEqual([])
    one.setBlocked(false)
    expect(pullLines(one)).toEqual(['closed 1006  unclean remote'])
  })

  test('owesAnswer and isSendable end with the transport', () => {
    const closing = new ClosingHandshake()
    closing.step('remoteClose', 1000, '')
    expect([closing.owesAnswer, closing.isSendable]).toEqual([true, true])
    closing.transport = 'end'
    expect([closing.owesAnswer, closing.isSendable]).toEqual([true, true])
    closing.transport = 'lost'
    expect([closing.owesAnswer, closing.isSendable]).toEqual([false, false])
  })

  test('is untouched only while neither side nor the transport has ended anything', () => {
    const closing = new ClosingHandshake()
    expect(closing.isUntouched).toBe(true)
    closing.transport = 'end'
    expect(closing.isUntouched).toBe(false)
    const other = new ClosingHandshake()
    other.step('localClose')
    expect(other.isUntouched).toBe(false)
  })
})

describe('the bytes that are not sent', () => {
  test('are what was dropped and what still waits, before the end and at it', () => {
    const one = server()
    one.send('12345')
    expect(one.closeInfo).toMatchObject({ wasClean: false, unsentBytes: 7 })
    one.failOverLimit(tooSlow(), true)
    const close = one.bufferedBytes
    expect(close).toBeGreaterThan(4)
    expect(one.closeInfo.unsentBytes).toBe(7 + close)
    one.transportLost(undefined, 100)
    pullAll(one)
    expect(one.closeInfo.unsentBytes).toBe(7 + close + 100)
  })

  test('make the end unclean where the Close frame is among them', () => {
    const one = server()
    one.receiveBytes(closeFrame(1000, '', { key: KEY }))
    pullAll(one)
    expect(one.closeInfo).toMatchObject({ wasClean: false, unsentBytes: 4 })
    takeAll(one)
    expect(one.closeInfo).toMatchObject({ wasClean: true, unsentBytes: 0 })
  })
})

describe('giving up a connection whose transport is lost already', () => {
  test('leaves the received messages to be pulled, without the error of the loss', () => {
    const one = server()
    one.receiveBytes(text('received'))
    one.transportLost(new TransportError('reset'), 3)
    one.abandon(50)
    expect(one.lossError).toBeNull()
    expect(pullLines(one)).toEqual(['text "received"', 'closed 1006  unclean remote'])
    expect(one.closeInfo.unsentBytes).toBe(3)
  })

  test('gives up after a half-close, and counts what was not sent once', () => {
    const one = server()
    one.send('12345')
    one.receiveEnd()
    expect(pullLines(one)).toEqual([])
    one.abandon(10)
    expect(pullLines(one)).toEqual(['closed 1006  unclean remote'])
    expect(one.closeInfo.unsentBytes).toBe(17)
    expect([one.nextEvent(), one.readyState]).toEqual([null, ReadyState.CLOSED])
  })
})
