/** The options that both ends have. */
import { SHARED_CHECKS } from '../../../src/socket/socket-options.js'

describe('SHARED_CHECKS', () => {
  it('fill in the defaults', () => {
    const { slowConsumer, autoPong, directIo } = SHARED_CHECKS
    expect(slowConsumer('slowConsumer', undefined)).toBe('close')
    expect([autoPong('autoPong', undefined), directIo('directIo', undefined)]).toEqual([true, true])
    expect([autoPong('autoPong', false), directIo('directIo', false)]).toEqual([false, false])
  })

  it('take each way to treat a slow consumer, and no other', () => {
    for (const policy of ['close', 'drop', 'buffer'] as const) {
      expect(SHARED_CHECKS.slowConsumer('slowConsumer', policy)).toBe(policy)
    }
    expect(() => SHARED_CHECKS.slowConsumer('slowConsumer', 'wait')).toThrow(
      new TypeError(`slowConsumer must be 'close', 'drop' or 'buffer', not "wait"`),
    )
  })

  it('have no other name', () => {
    expect(Object.keys(SHARED_CHECKS)).toEqual(['slowConsumer', 'autoPong', 'directIo'])
  })
})
