import { AppendQueue, type Batch } from '../../../src/brokers/append-queue.js'
import type { Position } from '../../../src/recovery/history.js'

const ROOM = { maxMessageBytes: 1000, maxQueuedBytes: 1_000_000 }
const LIMITS = { maxMessages: 10, maxAgeMs: 1000 }

afterEach(() => {
  jest.restoreAllMocks()
})

/** A queue whose batches are answered when the test says so, and a clock that the test sets. */
function bench(timeoutMs: number) {
  const sent: string[][] = []
  const deadlines: number[] = []
  let answer = (): void => undefined
  const queue = new AppendQueue({ ...ROOM, timeoutMs }, (batch: Batch) => {
    sent.push(batch.messages.map(({ bytes }) => bytes.toString()))
    deadlines.push(batch.deadline)
    const positions: Position[] = batch.messages.map(() => ({ epoch: 'e', offset: 1 }))
    return new Promise((resolve) => {
      answer = () => resolve(positions)
    })
  })
  const clock = jest.spyOn(performance, 'now').mockReturnValue(0)
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const results: Record<string, unknown> = {}
  const append = async (text: string, at: number): Promise<void> => {
    clock.mockReturnValue(at)
    void queue.append('g', text, LIMITS).then(
      () => (results[text] = 'kept'),
      (error: unknown) => (results[text] = error),
    )
    await turn()
  }
  const answerAt = async (at: number): Promise<void> => {
    clock.mockReturnValue(at)
    answer()
    await turn()
  }
  return { sent, deadlines, results, append, answerAt }
}

describe('messages behind a batch that is slow', () => {
  it('leave in batches of which all have about the same time', async () => {
    const { sent, deadlines, results, append, answerAt } = bench(5000)
    await append('first', 0)
    await append('old', 100)
    await append('not much younger', 600)
    await append('younger', 601)
    await append('youngest', 4000)
    for (let i = 0; i < 4; i++) await answerAt(4500)
    expect(sent).toEqual([['first'], ['old', 'not much younger'], ['younger'], ['youngest']])
    expect(deadlines).toEqual([5000, 5100, 5601, 9000])
    expect(Object.values(results)).toEqual(['kept', 'kept', 'kept', 'kept', 'kept'])
  })

  it('whose time is over are not sent, and say so; the others are', async () => {
    const { sent, results, append, answerAt } = bench(5000)
    await append('first', 0)
    await append('late', 100)
    await append('late too', 200)
    await append('in time', 300)
    await answerAt(5250)
    expect(sent).toEqual([['first'], ['in time']])
    await answerAt(5250)
    const late = {
      code: 'HAWSER_NOT_PUBLISHED',
      message:
        'appending to the history of group "g" failed: the time was over before its turn: it was not sent',
    }
    expect(results).toMatchObject({ first: 'kept', late, 'late too': late, 'in time': 'kept' })
  })
})
