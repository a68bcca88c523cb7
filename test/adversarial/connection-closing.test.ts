// slow: each of the 65,536 close codes, in both roles
import { Connection, ReadyState } from '../../src/connection/connection.js'
import {
  CLOSING_TABLE,
  type ClosingInput,
  type ClosingState,
} from '../../src/connection/closing-handshake.js'
import { TransportError } from '../../src/errors.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { pullLines, takeFrames, takeLines } from '../helpers/pull.js'

type Role = 'client' | 'server'
const ROLES = ['client', 'server'] as const
const rest = (role: Role): { key: typeof KEY } | object => (role === 'server' ? { key: KEY } : {})

/** Legal in a Close frame, by RFC 6455 section 7.4 and the IANA registry. */
const LEGAL: readonly (readonly [from: number, to: number])[] = [
  [1000, 1003],
  [1007, 1014],
  [3000, 4999],
]
const isLegal = (code: number): boolean => LEGAL.some(([from, to]) => code >= from && code <= to)

describe('RFC 6455 7.4: every close code, 0 to 65535', () => {
  test.each(ROLES)('a %s takes or refuses every close code of its peer', (role) => {
    const wrong: number[] = []
    for (let code = 0; code <= 65_535; code++) {
      const one = new Connection({ role })
      one.receiveBytes(closeFrame(code, '', rest(role)))
      const event = one.nextEvent()
      // Octets 2 and 3 of the Close frame that answers, unmasked or with its key undone.
      const out = one.takeOutput()!
      const at = role === 'client' ? 6 : 2
      const unmask = (i: number): number => out[at + i]! ^ (role === 'client' ? out[2 + i]! : 0)
      const answer = unmask(0) * 256 + unmask(1)
      const isRight = isLegal(code)
        ? event?.type === 'closeReceived' && event.code === code && answer === code && one.closeInfo.wasClean
        : event?.type === 'error' && event.error.code === 'HAWSER_INVALID_CLOSE_CODE' && answer === 1002
      if (!isRight || one.nextEvent() !== null || one.takeOutput() !== null) wrong.push(code)
    }
    expect(wrong).toEqual([])
  })

  test('close takes or refuses every close code of the caller', () => {
    // 1005 stands for no code, and a reason needs a code.
    const isRefused = (code: number, thrown: unknown): boolean =>
      thrown instanceof RangeError || (code === 1005 && thrown instanceof TypeError)
    const wrong: number[] = []
    for (let code = 0; code <= 65_535; code++) {
      for (const call of ['close', 'fail'] as const) {
        const one = new Connection({ role: 'server' })
        let thrown: unknown = null
        try {
          one[call](code, 'r')
        } catch (error) {
          thrown = error
        }
        const out = one.takeOutput()
        const isRight = isLegal(code)
          ? thrown === null && out?.readUInt16BE(2) === code
          : isRefused(code, thrown) && out === null && one.readyState === ReadyState.OPEN
        if (!isRight) wrong.push(code)
      }
    }
    expect(wrong).toEqual([])
  })
})

/** Brings a connection to a state of the table, and forgets what happened on the way. */
const REACH: { readonly [S in ClosingState]: readonly ((one: Connection) => void)[] } = {
  open: [() => undefined],
  closeSent: [(one) => one.close(4001, 'ours')],
  closeReceived: [(one) => one.receiveBytes(closeFrame(4002, 'theirs', rest(one.role)))],
  closeDone: [
    (one) => {
      one.receiveBytes(closeFrame(4002, 'theirs', rest(one.role)))
      pullLines(one)
      one.answerClose()
    },
    (one) => {
      one.close(4001, 'ours')
      one.receiveBytes(closeFrame(4002, 'theirs', rest(one.role)))
    },
  ],
  failed: [
    (one) => one.receiveBytes(frame({ opcode: 3, ...rest(one.role) })),
    (one) => one.fail(4003, 'failed'),
    (one) => {
      one.close(4001, 'ours')
      one.receiveBytes(frame({ opcode: 3, ...rest(one.role) }))
    },
  ],
  ended: [
    (one) => one.transportLost(),
    (one) => one.receiveEnd(),
    (one) => one.abandon(),
    (one) => {
      one.close(4001, 'ours')
      one.transportLost()
    },
    (one) => {
      one.fail(4003, 'failed')
      one.transportLost()
    },
    (one) => {
      one.receiveBytes(closeFrame(4002, 'theirs', rest(one.role)))
      pullLines(one)
      one.transportLost()
    },
  ],
}

const APPLY: { readonly [I in ClosingInput]: readonly ((one: Connection) => void)[] } = {
  localClose: [(one) => one.close(4011, 'own'), (one) => one.close()],
  remoteClose: [
    (one) => one.receiveBytes(closeFrame(4012, 'remote', rest(one.role))),
    (one) => one.receiveBytes(closeFrame(undefined, '', rest(one.role))),
  ],
  answer: [(one) => one.answerClose()],
  violation: [
    (one) => one.receiveBytes(frame({ opcode: OP.TEXT, payload: [0xff], ...rest(one.role) })),
    (one) => one.fail(1011, 'violation'),
  ],
  end: [(one) => one.receiveEnd()],
  lost: [(one) => one.transportLost(), (one) => one.transportLost(new TransportError('reset'))],
}

const READY: { readonly [S in ClosingState]: number } = {
  open: ReadyState.OPEN,
  closeSent: ReadyState.CLOSING,
  closeReceived: ReadyState.CLOSING,
  closeDone: ReadyState.CLOSING,
  failed: ReadyState.CLOSING,
  ended: ReadyState.CLOSED,
}

const INITIATOR: { readonly [I in ClosingInput]: string } = {
  localClose: 'local',
  remoteClose: 'remote',
  answer: 'remote',
  violation: 'engine',
  end: 'remote',
  lost: 'remote',
}

/** RFC 6455 section 7.1.1. */
const shouldClose = (state: ClosingState, role: Role): string => {
  if (state === 'open' || state === 'closeReceived') return 'no'
  if (state === 'closeSent' || (state === 'closeDone' && role === 'client')) return 'soon'
  return 'now'
}

describe('RFC 6455 7: every cell of the table, through a connection', () => {
  const cells = (Object.keys(CLOSING_TABLE) as ClosingState[]).flatMap((state) =>
    (Object.keys(APPLY) as ClosingInput[]).map((input) => [state, input] as const),
  )

  test('the table has 36 cells', () => {
    expect(cells).toHaveLength(36)
    for (const [state, input] of cells) expect(CLOSING_TABLE[state][input]).toBeDefined()
  })

  for (const role of ROLES) {
    test.each(cells)(
      `a ${role} in the state %s with the input %s does what the table says`,
      (state, input) => {
        const { send, outcome } = CLOSING_TABLE[state][input]
        // Where nothing waits to leave, the end of the peer's side is at once the end of both.
        const isHalfClosed = input === 'end' && (state === 'open' || state === 'closeSent')
        const next = isHalfClosed ? 'ended' : CLOSING_TABLE[state][input].next
        for (const reach of REACH[state]) {
          for (const [variant, apply] of APPLY[input].entries()) {
            // After its Close frame nothing of the peer is looked at: only this side can fail then.
            if (state === 'closeReceived' && input === 'violation' && variant === 0) continue
            const one = new Connection({ role, autoClose: false })
            reach(one)
            const before = pullLines(one)
            takeFrames(one)
            expect(one.readyState).toBe(READY[state])
            expect(one.transportShouldClose()).toBe(shouldClose(state, role))
            const infoBefore = one.closeInfo

            apply(one)
            const lines = pullLines(one)
            expect(one.readyState).toBe(READY[next])
            expect(one.transportShouldClose()).toBe(shouldClose(next, role))

            // The one Close frame, or none.
            const sent = takeLines(one)
            const own = variant === 0 ? '8 4011 own' : '8 empty'
            const echo = '8 4002 '
            const violation = variant === 0 ? '8 1007 text that is not valid UTF-8' : '8 1011 violation'
            expect(sent).toEqual({ own: [own], echo: [echo], violation: [violation], none: [] }[send])

            // The events: closed exactly once, an error at most once, and none if nothing changed.
            const all = [...before, ...lines]
            expect(all.filter((line) => line.startsWith('closed')).length).toBe(next === 'ended' ? 1 : 0)
            expect(all.filter((line) => line.startsWith('error')).length).toBeLessThanOrEqual(1)
            if (next === state && input !== 'localClose') expect(lines).toEqual([])

            // The input that ends the open connection decides the initiator, the table decides the rest.
            const { code, wasClean, initiator } = one.closeInfo
            if (state === 'open') expect(initiator).toBe(INITIATOR[input])
            else expect(initiator).toBe(infoBefore.initiator)
            if (outcome === 'none' && input !== 'remoteClose')
              expect(one.closeInfo).toEqual({ ...infoBefore, initiator })
            if (outcome === 'clean' && state === 'closeReceived')
              expect([code, wasClean]).toEqual([4002, true])
            else if (outcome === 'clean')
              expect([code, wasClean]).toEqual([variant === 0 ? 4012 : 1005, true])
            if (outcome === 'failed') expect([code, wasClean]).toEqual([variant === 0 ? 1007 : 1011, false])
            if (outcome === 'abnormal')
              expect([code, wasClean]).toEqual([state === 'closeReceived' ? 4002 : 1006, false])

            // From anywhere the loss of the transport ends it, and then nothing happens any more.
            one.transportLost()
            all.push(...pullLines(one))
            expect(all.filter((line) => line.startsWith('closed'))).toHaveLength(1)
            expect(all.at(-1)).toMatch(/^closed/)
            for (const again of Object.values(APPLY).flat()) again(one)
            expect([pullLines(one), takeLines(one), one.readyState]).toEqual([[], [], ReadyState.CLOSED])
          }
        }
      },
    )
  }

  test('the engine answers a Close frame at once by itself', () => {
    for (const role of ROLES) {
      const one = new Connection({ role })
      one.receiveBytes(closeFrame(4012, 'remote', rest(role)))
      expect(pullLines(one)).toEqual(['closeReceived 4012 remote'])
      expect(takeLines(one)).toEqual(['8 4012 '])
      expect(one.closeInfo).toMatchObject({ code: 4012, wasClean: true, initiator: 'remote' })
    }
  })

  test('messages still leave while the answer waits, and none leave after it', () => {
    for (const role of ROLES) {
      const one = new Connection({ role, autoClose: false })
      one.receiveBytes(closeFrame(4012, '', rest(role)))
      expect(pullLines(one)).toEqual(['closeReceived 4012 '])
      expect([one.readyState, one.isSendable, one.owesClose]).toEqual([ReadyState.CLOSING, true, true])
      expect([one.send('reply'), one.ping(), one.pong()]).toEqual([true, true, true])
      one.answerClose()
      expect([one.isSendable, one.owesClose, one.send('late')]).toEqual([false, false, false])
      expect(takeLines(one)).toEqual(['1 reply', '9 ', '10 ', '8 4012 '])
    }
  })

  test('closing from both sides at once is clean on both', () => {
    const [client, server] = [new Connection({ role: 'client' }), new Connection({ role: 'server' })]
    client.close(4001, 'client')
    server.close(4002, 'server')
    const [fromClient, fromServer] = [client.takeOutput()!, server.takeOutput()!]
    client.receiveBytes(fromServer)
    server.receiveBytes(fromClient)
    expect(pullLines(client)).toEqual(['closeReceived 4002 server'])
    expect(pullLines(server)).toEqual(['closeReceived 4001 client'])
    expect([client.takeOutput(), server.takeOutput()]).toEqual([null, null])
    expect([client.transportShouldClose(), server.transportShouldClose()]).toEqual(['soon', 'now'])
    client.receiveEnd()
    server.transportLost()
    expect(pullLines(client)).toEqual(['closed 4002 server clean local'])
    expect(pullLines(server)).toEqual(['closed 4001 client clean local'])
  })
})
