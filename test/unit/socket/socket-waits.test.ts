/** The calls of a socket that wait for its output: `drained` and `write`. */
import { ConnectionClosedError, LimitError } from '../../../src/errors.js'
import { readFrames } from '../../helpers/frame-builder.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { endAll, open } from '../../helpers/plain-socket.js'

afterEach(endAll)

/** The error of a promise. */
const failureOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => error as Error,
  )

describe('drained', () => {
  const LIMITS = { highWaterMarkBytes: 10 }

  it('resolves at once where there is room', async () => {
    const { socket, core } = open()
    await expect(socket.drained()).resolves.toBeUndefined()
    expect(core.told).toEqual([])
  })

  it('resolves with the drain', async () => {
    const { socket, line, core } = open(10, LIMITS)
    expect(socket.send('x'.repeat(50))).toBe(false)
    let isDrained = false
    void socket.drained().then(() => {
      isDrained = true
    })
    await nextTurn()
    expect(isDrained).toBe(false)
    for (let i = 0; i < 20 && !isDrained; i++) {
      line.system.read(Infinity)
      line.move()
      await nextTurn()
    }
    expect([isDrained, core.told, socket.bufferedAmount]).toEqual([true, ['drain'], 0])
  })

  it('asks for the drain also where no message was refused before', async () => {
    const { socket, core, line } = open(10, LIMITS)
    socket.ping('x'.repeat(60))
    let isDrained = false
    void socket.drained().then(() => {
      isDrained = true
    })
    await nextTurn()
    expect([isDrained, core.told]).toEqual([false, []])
    for (let i = 0; i < 20 && !isDrained; i++) {
      line.system.read(Infinity)
      line.move()
      await nextTurn()
    }
    expect([isDrained, core.told]).toEqual([true, ['drain']])
  })

  it('rejects at the end, and after it', async () => {
    const { socket } = open(10, LIMITS)
    socket.send('x'.repeat(50))
    const waiting = failureOf(socket.drained())
    socket.terminate()
    const errors = [await waiting, await failureOf(socket.drained())]
    for (const error of errors) {
      expect(error).toBeInstanceOf(ConnectionClosedError)
      expect(error).toMatchObject({ closeCode: 1006 })
    }
  })

  it('waits for the end of a connection that is closing, whatever room there is', async () => {
    const { socket } = open()
    void socket.close(1000)
    const waiting = failureOf(socket.drained())
    await nextTurn()
    socket.terminate()
    expect(await waiting).toBeInstanceOf(ConnectionClosedError)
  })

  it('refuses wrong options before anything else', async () => {
    const { socket } = open()
    const wrong = { timeoutMs: -1 }
    await expect(socket.drained(wrong)).rejects.toThrow(
      'timeoutMs must be a number from 0 to Infinity, not -1',
    )
    socket.terminate()
    await nextTurn()
    await expect(socket.drained(wrong)).rejects.toThrow(RangeError)
  })
})

describe('write', () => {
  it('resolves once the system has taken the message', async () => {
    const { socket, line } = open(10)
    let isTaken = false
    void socket.write('x'.repeat(50)).then(() => {
      isTaken = true
    })
    await nextTurn()
    expect(isTaken).toBe(false)
    for (let i = 0; i < 20 && !isTaken; i++) {
      line.system.read(Infinity)
      line.move()
      await nextTurn()
    }
    expect(isTaken).toBe(true)
  })

  it('sends nothing for a signal that is aborted, or for wrong options', async () => {
    const { socket } = open()
    const signal = AbortSignal.abort(new Error('no more'))
    await expect(socket.write('x', { signal })).rejects.toThrow('no more')
    expect(() => socket.write('x', { timeoutMs: -1 })).toThrow(RangeError)
    expect(socket.bufferedAmount).toBe(0)
  })

  it('passes the options of the message on', async () => {
    const { socket, line } = open()
    const bytes = Buffer.alloc(20_000, 'a')
    const taken = socket.write(bytes, { copy: true })
    bytes.fill('b')
    await taken
    const { frames } = readFrames(line.system.read(Infinity))
    expect(frames.map((one) => one.text)).toEqual(['a'.repeat(20_000)])
  })

  it("rejects with a LimitError where 'drop' does not take the message, and the connection stays open", async () => {
    const { socket } = open(0, { maxBufferedOutputBytes: 100, highWaterMarkBytes: 100 }, 'drop')
    socket.send('x'.repeat(200))
    await nextTurn()
    socket.send('y'.repeat(99))
    const error = await failureOf(socket.write('z'))
    expect(error).toBeInstanceOf(LimitError)
    expect(error).toMatchObject({ code: 'HAWSER_SLOW_CONSUMER', limit: 100, actual: 204 + 101 })
    expect(socket.readyState).toBe(1)
  })

  it('rejects where nothing can be sent any more, with the end that has begun or is over', async () => {
    const opened = open()
    const { socket } = opened
    void socket.close(3001, 'mine')
    expect(await failureOf(socket.write('x'))).toMatchObject({ closeCode: 3001, reason: 'mine' })
    socket.terminate()
    await nextTurn()
    expect(await failureOf(socket.write('x'))).toMatchObject({ closeCode: 1006, reason: '' })
  })

  it('rejects where the connection ends before', async () => {
    const { socket } = open(0)
    const failure = failureOf(socket.write('x'))
    socket.terminate()
    expect(await failure).toMatchObject({ code: 'HAWSER_CONNECTION_CLOSED', closeCode: 1006 })
  })
})
