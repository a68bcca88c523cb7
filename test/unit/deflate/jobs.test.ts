import { JobQueue } from '../../../src/deflate/jobs.js'

/** A queue, and jobs in it by name: `log` says what happened to them. */
function harness(limit: number) {
  const queue = new JobQueue(limit)
  const log: string[] = []
  const finish = new Map<string, () => boolean>()
  const cancel = new Map<string, () => void>()
  const add = (...names: string[]): void => {
    for (const name of names) {
      cancel.set(
        name,
        queue.add((finished) => {
          log.push(`start ${name}`)
          finish.set(name, finished)
          return () => log.push(`cancel ${name}`)
        }),
      )
    }
  }
  return {
    queue,
    log,
    add,
    finish: (name: string) => finish.get(name)!(),
    cancel: (name: string) => cancel.get(name)!(),
  }
}

describe('the queue before the thread pool', () => {
  test('starts jobs at once up to its limit, the others in order as places become free', () => {
    const { queue, log, add, finish } = harness(2)
    add('a', 'b', 'c', 'd')
    expect(log).toEqual(['start a', 'start b'])
    expect([queue.running, queue.waiting]).toEqual([2, 2])
    expect(finish('b')).toBe(true)
    expect(log.slice(2)).toEqual(['start c'])
    finish('a')
    expect(log.slice(3)).toEqual(['start d'])
    finish('c')
    finish('d')
    expect([queue.running, queue.waiting]).toEqual([0, 0])
  })

  test('a job that waits never starts once it is cancelled', () => {
    const { queue, log, add, finish, cancel } = harness(1)
    add('a', 'b', 'c')
    cancel('b')
    cancel('b')
    expect(queue.waiting).toBe(1)
    finish('a')
    expect(log).toEqual(['start a', 'start c'])
  })

  test('a job that runs keeps its place when it is cancelled, until its work has ended', () => {
    const { queue, log, add, finish, cancel } = harness(1)
    add('a', 'b', 'c')
    cancel('a')
    expect(log).toEqual(['start a', 'cancel a'])
    expect([queue.running, queue.waiting]).toEqual([1, 2])
    // Nobody wants its result.
    expect(finish('a')).toBe(false)
    expect(log.slice(2)).toEqual(['start b'])
    // Whatever still comes of it counts no more.
    expect(finish('a')).toBe(false)
    cancel('a')
    expect([queue.running, queue.waiting]).toEqual([1, 1])
    expect(finish('b')).toBe(true)
    expect(finish('b')).toBe(false)
    cancel('b')
    expect(log.slice(3)).toEqual(['start c'])
    finish('c')
    expect(queue.running).toBe(0)
  })

  test('a job that cannot be ended early goes on when it is cancelled, and its result is not wanted', () => {
    const queue = new JobQueue(1)
    let finish: () => boolean = () => true
    const cancel = queue.add((finished) => {
      finish = finished
    })
    cancel()
    expect(queue.running).toBe(1)
    expect(finish()).toBe(false)
    expect(queue.running).toBe(0)
  })
})
