/** One write for all that is sent in one go. */
import { Programs } from '../../helpers/child.js'
import { flushSoon, type Flushable } from '../../../src/transport/flush-soon.js'

class Item implements Flushable {
  isQueued = false
  flushes = 0
  private readonly onFlush: (() => void) | undefined

  constructor(onFlush?: () => void) {
    this.onFlush = onFlush
  }

  flush(): void {
    this.flushes++
    this.onFlush?.()
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('flushSoon', () => {
  it('flushes once after the running code, before anything else of the event loop', async () => {
    const item = new Item()
    const order: string[] = []
    const other = new Item(() => order.push('flush'))
    setImmediate(() => order.push('immediate'))
    flushSoon(item)
    flushSoon(item)
    flushSoon(other)
    expect(item.isQueued).toBe(true)
    expect(item.flushes).toBe(0)
    await nextTurn()
    expect(item.flushes).toBe(1)
    expect(item.isQueued).toBe(false)
    expect(order).toEqual(['flush', 'immediate'])
  })

  it('flushes again for messages that are sent during a flush', async () => {
    const item: Item = new Item(() => {
      if (item.flushes < 3) flushSoon(item)
    })
    flushSoon(item)
    await nextTurn()
    expect(item.flushes).toBe(3)
  })

  it('flushes the others when one throws, and keeps working', async () => {
    // What is thrown there reaches the process: a test of its own one.
    const programs = new Programs()
    const { status, errors, lines } = await programs.run(`
      import { flushSoon } from './src/transport/flush-soon.js'
      process.on('uncaughtException', (error) => console.log('caught', error.message))
      const item = (name, flush) => ({ isQueued: false, flush: flush ?? (() => console.log(name)) })
      const bad = item('', () => { flushSoon(last); throw new Error('a stream that throws') })
      const last = item('sent meanwhile')
      const all = [item('before'), bad, item('behind')]
      for (const one of all) flushSoon(one)
      setImmediate(() => { console.log(bad.isQueued); for (const one of [all[0], all[2]]) flushSoon(one) })
    `).ended
    programs.remove()
    expect({ status, errors }).toEqual({ status: 0, errors: '' })
    const caught = 'caught a stream that throws'
    expect(lines).toEqual(['before', caught, 'behind', 'sent meanwhile', 'false', 'before', 'behind'])
  })
})
