/** The loop under a connection: what holds it, how often it pulls and writes, and when it gives others their turn. */
import { Hold, RunLoop } from '../../../src/socket/run-loop.js'

/** A loop that writes down what it does. */
class WrittenLoop extends RunLoop {
  readonly done: string[] = []
  laterCount = 0
  onPull = (): void => undefined
  onWrite = (): void => undefined

  get pulling(): boolean {
    return this.isPulling
  }

  isHeld(reason: Hold): boolean {
    return this.isHeldBy(reason)
  }

  begin(): this {
    this.release(Hold.START)
    return this
  }

  hold(reason: Hold): void {
    this.holdBy(reason)
  }

  unhold(reason: Hold): boolean {
    return this.release(reason)
  }

  end(): void {
    this.inputEnded()
  }

  wants(): boolean {
    return this.wantsWrite()
  }

  go(pulls = true): void {
    this.run(pulls)
  }

  protected pull(): void {
    this.done.push('pull')
    this.onPull()
  }

  protected write(): void {
    this.done.push('write')
    this.onWrite()
  }

  protected runLater(): void {
    this.laterCount++
  }
}

const REASONS = [Hold.START, Hold.CALLER, Hold.INBOX, Hold.QUOTA]

describe('what holds a loop', () => {
  it('is the start, and then nothing', () => {
    const loop = new WrittenLoop()
    expect([loop.pulling, loop.isHeld(Hold.START)]).toEqual([false, true])
    expect([loop.unhold(Hold.START), loop.pulling, loop.unhold(Hold.START)]).toEqual([true, true, false])
  })

  it.each(REASONS)('is each reason by itself: %i', (reason) => {
    const loop = new WrittenLoop().begin()
    loop.hold(reason)
    loop.hold(reason)
    expect(REASONS.map((one) => loop.isHeld(one))).toEqual(REASONS.map((one) => one === reason))
    expect(loop.pulling).toBe(false)
    for (const other of REASONS.filter((one) => one !== reason)) expect(loop.unhold(other)).toBe(false)
    expect(loop.pulling).toBe(false)
    expect([loop.unhold(reason), loop.pulling]).toEqual([true, true])
  })

  it('after the end of the input is a full inbox, and a connection that has not begun', () => {
    const loop = new WrittenLoop()
    for (const reason of REASONS) loop.hold(reason)
    loop.end()
    expect(REASONS.filter((one) => loop.isHeld(one))).toEqual([Hold.START, Hold.INBOX])
    const free = new WrittenLoop().begin()
    free.hold(Hold.CALLER)
    free.end()
    expect(free.pulling).toBe(true)
  })
})

describe('a round', () => {
  it('pulls and then writes, or writes alone', () => {
    const loop = new WrittenLoop()
    loop.go()
    loop.go(false)
    expect(loop.done).toEqual(['pull', 'write', 'write'])
    expect(loop.laterCount).toBe(0)
  })

  it('is followed by another, which pulls, where the loop is told to run meanwhile', () => {
    const loop = new WrittenLoop()
    loop.onWrite = () => {
      loop.onWrite = () => undefined
      loop.go(false)
    }
    loop.go(false)
    expect(loop.done).toEqual(['write', 'pull', 'write'])
  })

  it('takes what is told while it pulls as done: it has not written yet', () => {
    const loop = new WrittenLoop()
    loop.onPull = () => {
      loop.onPull = () => undefined
      expect([loop.wants(), loop.owesWrite]).toEqual([true, true])
    }
    loop.go()
    expect([loop.done, loop.owesWrite]).toEqual([['pull', 'write'], false])
  })

  it('is followed by another where output is queued while it writes', () => {
    const loop = new WrittenLoop()
    loop.onWrite = () => {
      loop.onWrite = () => undefined
      loop.wants()
    }
    loop.go(false)
    expect(loop.done).toEqual(['write', 'pull', 'write'])
  })

  it('does not write what is queued while no round runs: the caller sees to it', () => {
    const loop = new WrittenLoop()
    expect([loop.wants(), loop.owesWrite]).toEqual([false, false])
  })

  it('that throws ends the loop, which runs again', () => {
    const loop = new WrittenLoop()
    loop.onPull = () => {
      loop.onPull = () => undefined
      throw new Error('of the owner')
    }
    expect(() => {
      loop.go()
    }).toThrow('of the owner')
    loop.go()
    expect(loop.done).toEqual(['pull', 'pull', 'write'])
  })
})

describe('a loop that never comes to an end', () => {
  it('gives others their turn after a thousand rounds, and owes what was queued by then', () => {
    const loop = new WrittenLoop()
    loop.onWrite = () => void loop.wants()
    loop.go()
    expect(loop.done).toHaveLength(2000)
    expect([loop.laterCount, loop.owesWrite]).toEqual([1, true])
    loop.onWrite = () => undefined
    loop.go()
    expect(loop.done).toHaveLength(2002)
    expect([loop.laterCount, loop.owesWrite]).toEqual([1, false])
  })

  it('comes to its end by itself in the thousandth round', () => {
    const loop = new WrittenLoop()
    loop.onPull = () => {
      if (loop.done.length < 1999) loop.go()
    }
    loop.go()
    expect([loop.done.length, loop.laterCount]).toEqual([2000, 0])
  })
})
