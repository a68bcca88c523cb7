/** Warnings of the process: one for each owner and code in a minute. */
import { warnAtIntervals } from '../../../src/socket/warnings.js'

const UNREADABLE = 'something was thrown that is no error and has no text'

describe('warnAtIntervals', () => {
  let emitted: unknown[][] = []
  beforeEach(() => {
    emitted = []
    jest.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => void emitted.push(args))
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] })
  })
  afterEach(() => {
    jest.useRealTimers()
    jest.restoreAllMocks()
  })

  it('says what failed, with the code, and where the error came from', () => {
    const error = new Error('no')
    warnAtIntervals({}, 'HAWSER_TEST', 'the handler failed', error)
    expect(emitted).toEqual([['the handler failed: no', { code: 'HAWSER_TEST', detail: error.stack }]])
  })

  it('makes an error of any other value, and has no detail without a stack', () => {
    const bare = Object.assign(new Error('bare'), { stack: undefined })
    warnAtIntervals({}, 'HAWSER_TEST', 'it failed', bare)
    warnAtIntervals({}, 'HAWSER_TEST', 'it failed', 'a text')
    expect(emitted[0]).toEqual(['it failed: bare', { code: 'HAWSER_TEST', detail: '' }])
    expect(emitted[1]?.[0]).toContain('a text')
  })

  it.each<[what: string, error: () => unknown, expected: string]>([
    [
      'a message that is no text',
      () => Object.assign(new Error('x'), { message: Symbol('odd') }),
      UNREADABLE,
    ],
    [
      'a getter that throws',
      () =>
        Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('again')
          },
        }),
      UNREADABLE,
    ],
    [
      'a Proxy without a prototype',
      () =>
        new Proxy(
          {},
          {
            getPrototypeOf: () => {
              throw new Error('again')
            },
          },
        ),
      UNREADABLE,
    ],
  ])('does not throw for an error with %s', (_, error, expected) => {
    warnAtIntervals({}, 'HAWSER_TEST', 'it failed', error())
    expect(emitted.map(([text]) => text)).toEqual([`it failed: ${expected}`])
  })

  it('repeats a code after a minute and not before, for each owner and code by itself', () => {
    const [one, other] = [{}, {}]
    const codes = (): unknown[] => emitted.splice(0).map(([text]) => text)
    const warnAll = (): void => {
      warnAtIntervals(one, 'HAWSER_A', 'one A', new Error('x'))
      warnAtIntervals(one, 'HAWSER_B', 'one B', new Error('x'))
      warnAtIntervals(other, 'HAWSER_A', 'other A', new Error('x'))
    }
    warnAll()
    expect(codes()).toEqual(['one A: x', 'one B: x', 'other A: x'])
    warnAll()
    jest.advanceTimersByTime(59_999)
    warnAll()
    expect(codes()).toEqual([])
    jest.advanceTimersByTime(1)
    warnAll()
    warnAll()
    expect(codes()).toEqual(['one A: x', 'one B: x', 'other A: x'])
  })
})
