import {
  CLOSING_TABLE,
  ClosingHandshake,
  transportShouldClose,
  type ClosingInput,
  type ClosingState,
} from '../../../src/connection/closing-handshake.js'

const STATES = ['open', 'closeSent', 'closeReceived', 'closeDone', 'failed', 'ended'] as const
const INPUTS = ['localClose', 'remoteClose', 'answer', 'violation', 'end', 'lost'] as const

/** Every cell: state, input, next state, the Close frame that goes out, what is known of the end. */
const CELLS: readonly (readonly [ClosingState, ClosingInput, ClosingState, string, string])[] = [
  ['open', 'localClose', 'closeSent', 'own', 'none'],
  ['open', 'remoteClose', 'closeReceived', 'none', 'none'],
  ['open', 'answer', 'open', 'none', 'none'],
  ['open', 'violation', 'failed', 'violation', 'failed'],
  ['open', 'end', 'failed', 'none', 'abnormal'],
  ['open', 'lost', 'ended', 'none', 'abnormal'],
  ['closeSent', 'localClose', 'closeSent', 'none', 'none'],
  ['closeSent', 'remoteClose', 'closeDone', 'none', 'clean'],
  ['closeSent', 'answer', 'closeSent', 'none', 'none'],
  ['closeSent', 'violation', 'failed', 'none', 'failed'],
  ['closeSent', 'end', 'failed', 'none', 'abnormal'],
  ['closeSent', 'lost', 'ended', 'none', 'abnormal'],
  ['closeReceived', 'localClose', 'closeDone', 'own', 'clean'],
  ['closeReceived', 'remoteClose', 'closeReceived', 'none', 'none'],
  ['closeReceived', 'answer', 'closeDone', 'echo', 'clean'],
  ['closeReceived', 'violation', 'closeDone', 'violation', 'clean'],
  ['closeReceived', 'end', 'closeReceived', 'none', 'none'],
  ['closeReceived', 'lost', 'ended', 'none', 'abnormal'],
  ['closeDone', 'localClose', 'closeDone', 'none', 'none'],
  ['closeDone', 'remoteClose', 'closeDone', 'none', 'none'],
  ['closeDone', 'answer', 'closeDone', 'none', 'none'],
  ['closeDone', 'violation', 'closeDone', 'none', 'none'],
  ['closeDone', 'end', 'ended', 'none', 'none'],
  ['closeDone', 'lost', 'ended', 'none', 'none'],
  ['failed', 'localClose', 'failed', 'none', 'none'],
  ['failed', 'remoteClose', 'failed', 'none', 'none'],
  ['failed', 'answer', 'failed', 'none', 'none'],
  ['failed', 'violation', 'failed', 'none', 'none'],
  ['failed', 'end', 'ended', 'none', 'none'],
  ['failed', 'lost', 'ended', 'none', 'none'],
  ['ended', 'localClose', 'ended', 'none', 'none'],
  ['ended', 'remoteClose', 'ended', 'none', 'none'],
  ['ended', 'answer', 'ended', 'none', 'none'],
  ['ended', 'violation', 'ended', 'none', 'none'],
  ['ended', 'end', 'ended', 'none', 'none'],
  ['ended', 'lost', 'ended', 'none', 'none'],
]

describe('RFC 6455 7: the table', () => {
  test('has exactly the cells below', () => {
    expect(Object.keys(CLOSING_TABLE)).toEqual([...STATES])
    for (const state of STATES) expect(Object.keys(CLOSING_TABLE[state])).toEqual([...INPUTS])
    expect(new Set(CELLS.map(([state, input]) => `${state} ${input}`)).size).toBe(36)
  })

  test.each(CELLS)(
    '%s with the input %s goes to %s, sends %s, and has the outcome %s',
    (state, input, next, send, outcome) => {
      expect(CLOSING_TABLE[state][input]).toEqual({ next, send, outcome })
    },
  )

  test('every path sends at most one Close frame, keeps one outcome, and stays ended', () => {
    const wrong: string[] = []
    let steps = 0
    const walk = (state: ClosingState, depth: number, sent: number): void => {
      if (depth === 0) return
      for (const input of INPUTS) {
        const step = CLOSING_TABLE[state][input]
        const total = sent + (step.send === 'none' ? 0 : 1)
        const isForGood = (state !== 'ended' && input !== 'lost') || step.next === 'ended'
        if (total > 1 || !isForGood) wrong.push(`${state}, ${input}: ${step.next}, ${String(total)} sent`)
        steps++
        walk(step.next, depth - 1, total)
      }
    }
    walk('open', 6, 0)
    // One assertion, not one for each step: an assertion takes a hundred times as long as a step.
    expect(wrong).toEqual([])
    expect(steps).toBe(6 + 6 ** 2 + 6 ** 3 + 6 ** 4 + 6 ** 5 + 6 ** 6)
  })
})

describe('RFC 6455 7.1.1: which side ends the transport', () => {
  test.each([
    ['open', 'server', 'no'],
    ['open', 'client', 'no'],
    ['closeSent', 'server', 'soon'],
    ['closeSent', 'client', 'soon'],
    ['closeReceived', 'server', 'no'],
    ['closeReceived', 'client', 'no'],
    ['closeDone', 'server', 'now'],
    ['closeDone', 'client', 'soon'],
    ['failed', 'server', 'now'],
    ['failed', 'client', 'now'],
    ['ended', 'server', 'now'],
    ['ended', 'client', 'now'],
  ] as const)('transportShouldClose in the state %s of a %s is %s', (state, role, answer) => {
    expect(transportShouldClose(state, role)).toBe(answer)
  })
})

const NOTHING_LEFT = { droppedMessages: 0, unsentBytes: 0 }

describe('RFC 6455 7.1.4 to 7.1.6: the reported end', () => {
  test('an open connection reports the end that a loss would give', () => {
    const closing = new ClosingHandshake()
    expect(closing.info).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'remote',
      ...NOTHING_LEFT,
    })
    expect([closing.isReceiving, closing.isOver]).toEqual([true, false])
  })

  test('a closing handshake that this side began is reported', () => {
    const closing = new ClosingHandshake()
    expect(closing.step('localClose')).toBe('own')
    expect(closing.info).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'local',
      ...NOTHING_LEFT,
    })
    expect([closing.isReceiving, closing.isOver]).toEqual([true, false])
    expect(closing.step('remoteClose', 1000, 'bye')).toBe('none')
    expect([closing.isReceiving, closing.isOver]).toEqual([false, true])
    expect(closing.step('lost')).toBe('none')
    expect(closing.info).toEqual({
      code: 1000,
      reason: 'bye',
      wasClean: true,
      initiator: 'local',
      ...NOTHING_LEFT,
    })
    expect([closing.isReceiving, closing.isOver]).toEqual([false, false])
  })

  test('a closing handshake that the peer began is reported', () => {
    const closing = new ClosingHandshake()
    expect(closing.step('remoteClose', 1005, '')).toBe('none')
    expect(closing.info).toMatchObject({ code: 1005, wasClean: false, initiator: 'remote' })
    expect([closing.isReceiving, closing.isSendable, closing.isOver]).toEqual([false, true, false])
    expect(closing.step('answer')).toBe('echo')
    expect([closing.isReceiving, closing.isSendable, closing.isOver]).toEqual([false, false, true])
    expect(closing.info).toEqual({
      code: 1005,
      reason: '',
      wasClean: true,
      initiator: 'remote',
      ...NOTHING_LEFT,
    })
  })

  test("the end is not clean if this side's Close frame never left", () => {
    const closing = new ClosingHandshake()
    closing.step('localClose')
    closing.step('remoteClose', 1000, '')
    closing.unsentBytes = 4
    closing.isCloseUnsent = true
    expect(closing.info).toMatchObject({ code: 1000, wasClean: false, unsentBytes: 4 })
  })

  test("a violation is reported, even after this side's Close frame", () => {
    const closing = new ClosingHandshake()
    expect(closing.step('violation', 1002, 'a reserved opcode')).toBe('violation')
    expect(closing.info).toEqual({
      code: 1002,
      reason: 'a reserved opcode',
      wasClean: false,
      initiator: 'engine',
      ...NOTHING_LEFT,
    })
    expect([closing.isReceiving, closing.isOver]).toEqual([false, true])
    const late = new ClosingHandshake()
    late.step('localClose')
    expect(late.step('violation', 1007, 'x')).toBe('none')
    expect(late.info).toEqual({
      code: 1007,
      reason: 'x',
      wasClean: false,
      initiator: 'local',
      ...NOTHING_LEFT,
    })
  })

  test('a loss keeps the initiator that was set before', () => {
    const closing = new ClosingHandshake()
    closing.initiator = 'engine'
    closing.step('lost')
    expect(closing.info).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'engine',
      ...NOTHING_LEFT,
    })
  })
})
