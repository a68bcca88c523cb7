import { Tasks } from '../../../src/whatwg/tasks.js'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('Tasks', () => {
  it('runs tasks in order, each after the microtasks of the one before', async () => {
    const tasks = new Tasks()
    const order: string[] = []
    for (const name of ['a', 'b']) {
      tasks.push(() => {
        order.push(name)
        void Promise.resolve().then(() => order.push(`after ${name}`))
      })
    }
    expect([order, tasks.isEmpty]).toEqual([[], false])
    await nextTurn()
    expect([order, tasks.isEmpty]).toEqual([['a', 'after a', 'b', 'after b'], true])
  })

  it('stops the reading when 1 MiB of messages wait, and goes on when none does', async () => {
    const tasks = new Tasks()
    const calls: string[] = []
    const socket = { pause: () => calls.push('pause'), resume: () => calls.push('resume') }
    const message = 'x'.repeat(300_000)
    const push = (text: string): void => {
      tasks.pushMessage(socket, text, () => calls.push('task'))
    }
    for (let i = 0; i < 3; i++) push(message)
    expect(calls).toEqual([])
    for (let i = 0; i < 2; i++) push(message)
    expect(calls).toEqual(['pause'])
    await nextTurn()
    expect(calls).toEqual(['pause', ...Array<string>(5).fill('task'), 'resume'])
    // Empty messages count as well.
    for (let i = 0; i < 20_000; i++) push('')
    expect(calls.slice(7)).toEqual(['pause'])
    await nextTurn()
    expect(calls.at(-1)).toBe('resume')
  })
})
