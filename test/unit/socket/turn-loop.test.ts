/** A connection among others: what it tells of its chunks, and when it gives others their turn. */
import type { ServerSocket } from '../../../src/index.js'
import { inputTurns, LARGE_CHUNK_BYTES } from '../../../src/socket/input-turns.js'
import { CALM_MS } from '../../../src/socket/slow-start.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { endOfTurn, nextTurn, nextTurns } from '../../helpers/memory-duplex.js'
import { openLine } from '../../helpers/model-line.js'

const ends: (() => void)[] = []
afterEach(async () => {
  jest.restoreAllMocks()
  for (const end of ends.splice(0)) end()
  await nextTurn()
})

/** A message whose frame has so many bytes. */
const chunkOf = (length: number): Buffer =>
  frame({ opcode: 0x2, payload: Buffer.alloc(length - 8), key: KEY })

function open(handlers: object = {}, early: Uint8Array = new Uint8Array(0), limits: object = {}) {
  const line = openLine('handle', 1e9)
  let socket!: ServerSocket
  const server = serveLine(
    line,
    (made) => {
      socket = made
      return { onMessage: () => undefined, ...handlers }
    },
    { limits },
    null,
    Uint8Array.from(early),
  )
  ends.push(() => server.terminate())
  return { line, socket }
}

/** What is told of large chunks: for each of them its length, and whether it is the first of its connection. */
function told(): [length: number, isFirst: boolean][] {
  const chunks: [number, boolean][] = []
  jest.spyOn(inputTurns, 'noteLarge').mockImplementation((length, _now, isFirst) => {
    chunks.push([length, isFirst])
    return false
  })
  return chunks
}

it('tells of chunks from 32 KiB on, and of the first one that it is the first', async () => {
  const chunks = told()
  const { line } = open()
  await nextTurn()
  for (const length of [LARGE_CHUNK_BYTES, LARGE_CHUNK_BYTES, LARGE_CHUNK_BYTES + 1])
    line.deliver(chunkOf(length))
  expect(chunks).toEqual([
    [LARGE_CHUNK_BYTES, true],
    [LARGE_CHUNK_BYTES, false],
    [LARGE_CHUNK_BYTES + 1, false],
  ])
})

it('does not tell of smaller ones, and a large one behind them is not the first', async () => {
  const chunks = told()
  const { line } = open()
  await nextTurn()
  for (const length of [LARGE_CHUNK_BYTES - 1, LARGE_CHUNK_BYTES]) line.deliver(chunkOf(length))
  expect(chunks).toEqual([[LARGE_CHUNK_BYTES, false]])
})

it('takes much that came with the handshake for the first chunk', async () => {
  // Its turn comes at once: no connection has opened for so long.
  await new Promise((resolve) => setTimeout(resolve, CALM_MS + 50))
  const chunks = told()
  const { line } = open({}, chunkOf(LARGE_CHUNK_BYTES))
  await nextTurn()
  line.deliver(chunkOf(LARGE_CHUNK_BYTES))
  expect(chunks).toEqual([[LARGE_CHUNK_BYTES, false]])
})

it('that is over by the end of its chunk does not wait for a turn', async () => {
  jest.spyOn(inputTurns, 'noteLarge').mockReturnValue(true)
  const { line } = open({
    onMessage: (socket: ServerSocket) => {
      socket.terminate()
    },
  })
  await nextTurns(20)
  const before = inputTurns.count
  line.deliver(chunkOf(LARGE_CHUNK_BYTES))
  expect(inputTurns.count).toBe(before)
})

it('that fails while it waits, so that its output ends, is read on in its turn and not before', async () => {
  jest.spyOn(inputTurns, 'noteLarge').mockReturnValue(true)
  const add = jest.spyOn(inputTurns, 'add').mockImplementation(() => undefined)
  let fail!: (error: Error) => void
  const { line, socket } = open({
    onPing: () =>
      new Promise((_, reject) => {
        fail = reject
      }),
    onError: () => undefined,
  })
  await nextTurns(20)
  line.deliver(Buffer.concat([frame({ opcode: 0x9, payload: '', key: KEY }), chunkOf(LARGE_CHUNK_BYTES)]))
  expect([add.mock.calls.length, line.isReading]).toEqual([1, false])
  fail(new Error('of the handler'))
  await endOfTurn()
  expect([socket.readyState, line.isReading]).toEqual([2, false])
  add.mock.calls[0]![0].takeTurn()
  await endOfTurn()
  expect(line.isReading).toBe(true)
})

describe('whose handlers always cause more work', () => {
  const ROUNDS = 1000

  it('gives others their turn, and goes on after them', async () => {
    let drains = 0
    let isOver = false
    const { socket } = open(
      {
        onDrain: (one: ServerSocket) => {
          drains++
          if (!isOver) one.send('more than the mark')
        },
      },
      undefined,
      { highWaterMarkBytes: 1 },
    )
    await nextTurn()
    expect(socket.send('more than the mark')).toBe(false)
    await endOfTurn()
    expect(drains).toBe(ROUNDS)
    await nextTurn()
    expect(drains).toBeGreaterThan(ROUNDS)
    isOver = true
  })

  it('then handles what came in the last round before that', async () => {
    let drains = 0
    const messages: unknown[] = []
    const { line, socket } = open(
      {
        onDrain: (one: ServerSocket) => {
          if (++drains < ROUNDS) one.send('more than the mark')
          else line.deliver(frame({ opcode: 0x1, payload: 'last', key: KEY }))
        },
        onMessage: (_: unknown, message: unknown) => void messages.push(message),
      },
      undefined,
      { highWaterMarkBytes: 1 },
    )
    await nextTurn()
    socket.send('more than the mark')
    await endOfTurn()
    expect([drains, messages]).toEqual([ROUNDS, []])
    await nextTurns(2)
    expect(messages).toEqual(['last'])
  })
})
