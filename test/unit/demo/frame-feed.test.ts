import { FrameFeed, MAX_WAITING_REPORTS, type FeedMessage } from '../../../demo/frame-feed.js'
import type { FrameReport } from '../../../demo/frame-tap.js'

const report = (payloadLength: number): FrameReport => ({
  kind: 'frame',
  from: 'client',
  at: 0,
  opcode: 'TEXT',
  fin: true,
  rsv1: false,
  maskingKey: null,
  headerLength: 2,
  payloadLength,
  bytes: '',
})

/** A page that takes messages, or is too slow for more after each. */
function feedTo({ isSlow = false } = {}): { feed: FrameFeed; taken: FeedMessage[]; codes: unknown[] } {
  const taken: FeedMessage[] = []
  const codes: unknown[] = []
  const feed = new FrameFeed({
    sendJson: (value) => {
      taken.push(value as FeedMessage)
      return !isSlow
    },
    close: (code) => {
      codes.push(code)
      return new Promise(() => undefined)
    },
  })
  return { feed, taken, codes }
}

const lengths = (messages: readonly FeedMessage[]): (number[] | number)[] =>
  messages.map(({ frames, missed }) => {
    const shown = frames.map((frame) => (frame as FrameReport).payloadLength)
    return missed === 0 ? shown : [...shown, -missed]
  })

describe('reports for a page', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  test('are gathered into few messages, in order', () => {
    const { feed, taken } = feedTo()
    for (const length of [1, 2, 3]) feed.push(report(length))
    expect(taken).toEqual([])
    jest.runAllTimers()
    feed.push(report(4))
    feed.tellRoundTrip(0.5)
    jest.runAllTimers()
    expect(lengths(taken)).toEqual([[1, 2, 3], [4]])
    expect(taken.map(({ rttMs }) => rttMs)).toEqual([null, 0.5])
  })

  test('are bounded, and those without room are counted', () => {
    const { feed, taken } = feedTo()
    for (let i = 0; i < MAX_WAITING_REPORTS + 1000; i++) feed.push(report(i))
    jest.runAllTimers()
    expect(taken.map(({ frames, missed }) => [frames.length, missed])).toEqual([[MAX_WAITING_REPORTS, 1000]])
  })

  test('wait for a slow page, and are not kept after a gap until the gap is reported', () => {
    const { feed, taken } = feedTo({ isSlow: true })
    feed.push(report(1))
    jest.runAllTimers()
    for (let i = 0; i < MAX_WAITING_REPORTS + 2; i++) feed.push(report(i))
    jest.runAllTimers()
    expect(taken).toHaveLength(1)
    feed.drained()
    feed.push(report(7))
    feed.drained()
    expect(taken.map(({ frames, missed }) => [frames.length, missed])).toEqual([
      [1, 0],
      [MAX_WAITING_REPORTS, 2],
      [1, 0],
    ])
  })

  test('end with the waiting reports, and then close with 1000', () => {
    const { feed, taken, codes } = feedTo()
    feed.push(report(1))
    feed.end()
    expect([lengths(taken), codes]).toEqual([[[1]], [1000]])
    feed.push(report(2))
    jest.runAllTimers()
    expect(taken).toHaveLength(1)
  })

  test('end for a slow page after it has read the earlier ones', () => {
    const { feed, taken, codes } = feedTo({ isSlow: true })
    feed.push(report(1))
    jest.runAllTimers()
    feed.push(report(2))
    feed.end()
    expect(codes).toEqual([])
    feed.drained()
    expect([lengths(taken), codes]).toEqual([[[1], [2]], [1000]])
  })

  test('stop when the page is gone', () => {
    const { feed, taken, codes } = feedTo()
    feed.push(report(1))
    feed.stop()
    feed.push(report(2))
    feed.tellRoundTrip(1)
    feed.drained()
    jest.runAllTimers()
    expect([taken.length, codes]).toEqual([0, []])
  })
})
