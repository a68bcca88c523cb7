import { evaluate } from './evaluate.js'

const MIB = 1024 * 1024

const LOAD = {
  name: 'pings',
  quiet: { p50: 100, p99: 300, samples: 6000 },
  usualP99: 400,
  flood: { p50: 200, p99: 4000, samples: 12000 },
  memory: { quiet: { rss: 200 * MIB }, flood: { rss: 300 * MIB }, bound: 300 * MIB },
  harm: { steady: { gone: 0, wrong: 0, lastCode: -1 }, probe: { gone: 0, wrong: 0, lastCode: -1 } },
  settled: { left: 0, ms: 100 },
}

const loadFaults = (change: object, isQuick = false): unknown =>
  evaluate('verdict.mjs', 'return subject.faultsOfLoad(input.row, input.isQuick)', {
    row: { ...LOAD, ...change },
    isQuick,
  })

describe('what a flood is compared with', () => {
  const usualOf = (...p99s: number[]): unknown =>
    evaluate('verdict.mjs', 'subject.noteUsualP99(input); return input.map(({ usualP99 }) => usualP99)', [
      ...p99s.map((p99) => ({ quiet: { p99 } })),
    ])

  test('is the median of the quiet p99s of the run', () => {
    expect(usualOf(497, 17_802, 2401, 884, 4014)).toEqual([2401, 2401, 2401, 2401, 2401])
    expect(usualOf(100, 400)).toEqual([250, 250])
    expect(usualOf(300)).toEqual([300])
    expect(usualOf()).toEqual([])
  })
})

describe('a flood', () => {
  test('is clean at its bounds', () => {
    expect(loadFaults({})).toEqual([])
  })

  test('is red where p99 is more than ten times the usual quiet one, but for a quick run', () => {
    const flood = { p50: 200, p99: 4001, samples: 12000 }
    expect(loadFaults({ flood })).toEqual([
      'p99 4,001 µs is 10.0 times the usual quiet one, 400 µs; at most 10 times is allowed',
    ])
    expect(loadFaults({ flood }, true)).toEqual([])
  })

  test('is red where nothing was measured, and never clean by a missing figure', () => {
    const nothing = { p50: 0, p99: 0, samples: 0 }
    expect(loadFaults({ quiet: nothing, usualP99: 0, flood: nothing })).toHaveLength(2)
  })

  test('is red for a byte above the bound of memory, in a quick run too', () => {
    const memory = { ...LOAD.memory, bound: 300 * MIB - 1 }
    expect(loadFaults({ memory }, true)).toEqual(['300.0 MiB resident, at most 300.0 MiB are allowed'])
  })

  test('is red for a single client that was closed, a wrong answer, and connections that stay', () => {
    const harm = { steady: { gone: 1, wrong: 0, lastCode: 1008 }, probe: { gone: 0, wrong: 2, lastCode: -1 } }
    expect(loadFaults({ harm, settled: { left: 3, ms: 20_000 } })).toEqual([
      '1 of the steady clients are gone, the last one with 1008',
      '2 wrong answers to the probe clients',
      '3 connections more than before are open 20000 ms after the flood',
    ])
  })
})

const LEFT = {
  ...{ objects: 10 * MIB, compiled: 8 * MIB, external: 5 * MIB, rss: 100 * MIB },
  ...{ files: 30, timers: 0, connections: 0, handles: { TCPServerWrap: 5, PipeWrap: 2 } },
}
const WAY = { kind: 'in a frame', name: 'reset', outcomes: { done: 988, cut: 12, stuck: 0 } }

const leakFaults = (after: object, ways: readonly object[] = [WAY]): unknown =>
  evaluate('verdict.mjs', 'return subject.faultsOfLeaks(input)', {
    name: 'server',
    connections: 1000,
    before: LEFT,
    after: { ...LEFT, ...after },
    ways,
  })

describe('what is left of connections', () => {
  test('is clean where all is as it was, within the bounds of memory', () => {
    expect(
      leakFaults({ objects: 10.2 * MIB, compiled: 11 * MIB, external: 5.05 * MIB, rss: 148 * MIB }),
    ).toEqual([])
  })

  test('is red for objects and external memory together, for what V8 keeps of programs, and for resident memory', () => {
    const after = { objects: 10.25 * MIB, compiled: 11.1 * MIB, external: 5 * MIB + 1024, rss: 149 * MIB }
    expect(leakFaults(after)).toEqual([
      '257 KiB of objects and external memory are left, at most 256 KiB are allowed',
      'V8 keeps 3.1 MiB more of programs, at most 3.0 MiB are allowed',
      '49.0 MiB more are resident, at most 48.0 MiB are allowed',
    ])
  })

  test('is red where it was not measured', () => {
    expect(leakFaults({ objects: undefined })).toEqual(['what is left was not measured'])
  })

  test('is red for one file, one timer, one connection and one handle, whether more or fewer', () => {
    const handles = { TCPServerWrap: 4, PipeWrap: 2, TCPSocketWrap: 1 }
    expect(leakFaults({ files: 31, timers: 1, connections: 1, handles })).toEqual([
      '1 more files are open',
      '1 timers are left',
      '1 connections are left',
      'handles: -1 TCPServerWrap, +1 TCPSocketWrap',
    ])
  })

  test('is red where a way ends otherwise in more than one of a hundred and two, or is stuck once', () => {
    const often = { ...WAY, outcomes: { done: 987, cut: 13 } }
    const stuck = { ...WAY, outcomes: { done: 10_000, stuck: 1 } }
    expect(leakFaults({}, [often, stuck])).toEqual([
      '"in a frame: reset" ended otherwise in 13 of 1000: cut 13',
      '"in a frame: reset" ended otherwise in 1 of 10001: stuck 1',
    ])
  })
})

describe('the bound of memory', () => {
  test('is that of docs/backpressure.md for each connection of the attackers, and heads that are not whole', () => {
    const limits = {
      ...{ maxMessageBytes: 1000, maxBufferedOutputBytes: 20_000, maxPendingPongs: 16 },
      ...{ maxQueuedBytes: 300, maxHeaderBytes: 64 },
    }
    const one = 20_000 + 2 * 7 + 132 * 1024 + 17 * 131 + 300 + 2 * 1000 + 260 * 1024
    expect(
      evaluate(
        'bounds.mjs',
        'return [subject.connectionBound(input, 7), subject.floodBound({ limits: input, largest: 7, accepted: 3, unfinished: 5 }) - subject.GARBAGE_BYTES]',
        limits,
      ),
    ).toEqual([one, 3 * one + 5 * (64 + 16 * 1024)])
  })
})
