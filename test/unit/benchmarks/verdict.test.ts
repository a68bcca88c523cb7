// slow: starts a process for each call
import { evaluate } from './evaluate.js'

type Contenders = Readonly<
  Record<string, { readonly median?: number; readonly error?: string; readonly isAbsent?: boolean }>
>

function judge(contenders: Contenders, floor: unknown, lowerIsBetter = false): unknown {
  return evaluate('verdict.mjs', 'return subject.judge(input.row, input.floor ?? undefined)', {
    row: { contenders, lowerIsBetter },
    floor,
  })
}

describe('the floors of the benchmarks', () => {
  test('pass a row at its floor and fail one below it, on both sides', () => {
    const floor = { ws: 2, bun: 0.5 }
    const others = { ws: { median: 100 }, bun: { median: 400 } }
    expect(judge({ hawser: { median: 200 }, ...others }, floor)).toEqual({ status: 'ok', why: [] })
    expect(judge({ hawser: { median: 150 }, ...others }, floor)).toEqual({
      status: 'BELOW',
      why: [
        '1.50 x ws, the floor is 2: a factor of 1.33 is missing',
        '0.38 x bun, the floor is 0.5: a factor of 1.33 is missing',
      ],
      missing: 2 / 1.5,
    })
  })

  test('do not show a row that is slightly below its floor as equal to it', () => {
    const contenders = { hawser: { median: 134_922 }, ws: { median: 100_000 } }
    expect(judge(contenders, { ws: 1.35 })).toMatchObject({
      status: 'BELOW',
      why: ['1.34922 x ws, the floor is 1.35: a factor of 1.001 is missing'],
    })
  })

  test('turn the ratio when less is better', () => {
    const contenders = { hawser: { median: 50 }, ws: { median: 100 } }
    expect(judge(contenders, { ws: 2 }, true)).toEqual({ status: 'ok', why: [] })
    expect(judge(contenders, { ws: 2.1 }, true)).toMatchObject({ status: 'BELOW' })
  })

  test('give a level floor some slack', () => {
    const contenders = { hawser: { median: 96 }, ws: { median: 100 } }
    expect(judge(contenders, { ws: 1, slack: 0.05 })).toMatchObject({ status: 'ok' })
    expect(judge(contenders, { ws: 1, slack: 0.03 })).toMatchObject({ status: 'BELOW' })
  })

  test('may be bounds by another contender and by a value', () => {
    const contenders = { hawser: { median: 7000 }, net: { median: 6000 } }
    expect(judge(contenders, { atMost: { contender: 'net', plus: 1024 } }, true)).toMatchObject({
      status: 'ok',
    })
    expect(judge(contenders, { atMost: { contender: 'net', plus: 900 } }, true)).toMatchObject({
      status: 'BELOW',
      why: ['7000, at most 6900 (net + 900): a factor of 1.01 is missing'],
    })
    expect(judge(contenders, { atMost: { contender: 'net', plus: 0 } }, true)).toMatchObject({
      status: 'BELOW',
      why: ['7000, at most 6000 (net): a factor of 1.17 is missing'],
    })
    expect(judge(contenders, { atMost: { value: 6999 } }, true)).toMatchObject({
      status: 'BELOW',
      why: ['7000, at most 6999: a factor of 1.000 is missing'],
    })
    expect(judge({ hawser: { median: 1 } }, { atMost: { contender: 'net', plus: 1 } }, true)).toEqual({
      status: 'not measured',
      why: ['net: did not run'],
    })
  })

  test('compare with a bare handle where they ask for it', () => {
    const contenders = { hawser: { median: 94 }, handle: { median: 100 } }
    expect(judge(contenders, { handle: 0.95 })).toMatchObject({
      status: 'BELOW',
      why: ['0.94 x handle, the floor is 0.95: a factor of 1.01 is missing'],
    })
    expect(judge({ hawser: { median: 95 }, handle: { median: 100 } }, { handle: 0.95 })).toMatchObject({
      status: 'ok',
    })
    expect(judge({ hawser: { median: 95 } }, { handle: 0.95 })).toEqual({
      status: 'not measured',
      why: ['handle: did not run'],
    })
  })

  test('hold for both ways to reply, where both are measured', () => {
    const others = { hawser: { median: 200 }, ws: { median: 100 } }
    expect(judge({ ...others, 'hawser-return': { median: 200 } }, { ws: 2 })).toMatchObject({ status: 'ok' })
    expect(judge({ ...others, 'hawser-return': { median: 100 } }, { ws: 2 })).toEqual({
      status: 'BELOW',
      why: ['returned: 1.00 x ws, the floor is 2: a factor of 2.00 is missing'],
      missing: 2,
    })
    expect(judge({ ...others, 'hawser-return': { error: 'it broke' } }, { ws: 2 })).toEqual({
      status: 'not measured',
      why: ['hawser-return: it broke'],
    })
  })

  test('hold for the drop-in beside Hawser itself, where it ran', () => {
    const hawser = { median: 100 }
    expect(judge({ hawser, 'hawser-ws': { median: 90 } }, { dropIn: 0.9 })).toMatchObject({ status: 'ok' })
    expect(judge({ hawser }, { dropIn: 0.9 })).toMatchObject({ status: 'ok' })
    expect(judge({ hawser, 'hawser-ws': { median: 72 } }, { dropIn: 0.9 })).toMatchObject({
      status: 'BELOW',
      why: ['the drop-in 0.72 x hawser, the floor is 0.9: a factor of 1.25 is missing'],
    })
    expect(judge({ hawser, 'hawser-ws': { error: 'it broke' } }, { dropIn: 0.9 })).toEqual({
      status: 'not measured',
      why: ['hawser-ws: it broke'],
    })
  })

  test('differ on the newest Node where they say so', () => {
    const floors = { a: { ws: 1, bun: 0.7, newest: { bun: 0.85 } } }
    expect(
      evaluate(
        '../floors.mjs',
        "return ['this', 'newest'].map((node) => subject.floorOf('a', node, input))",
        floors,
      ),
    ).toEqual([
      { ws: 1, bun: 0.7 },
      { ws: 1, bun: 0.85 },
    ])
  })

  test('never pass a row that failed or did not run', () => {
    const hawser = { median: 100 }
    expect(judge({ hawser: { error: 'it broke' }, ws: hawser }, { ws: 1 })).toEqual({
      status: 'not measured',
      why: ['it broke'],
    })
    expect(judge({ hawser }, { ws: 1 })).toEqual({ status: 'not measured', why: ['ws: did not run'] })
    expect(judge({ hawser, ws: hawser, bun: { error: 'no port' } }, { ws: 1, bun: 1 })).toEqual({
      status: 'not measured',
      why: ['bun: no port'],
    })
  })

  test('do not count for Bun when it is absent or not asked for', () => {
    const hawser = { median: 100 }
    expect(judge({ hawser, ws: hawser }, { ws: 1, bun: 9 })).toMatchObject({ status: 'ok' })
    expect(
      judge({ hawser, ws: hawser, bun: { error: 'absent', isAbsent: true } }, { ws: 1, bun: 9 }),
    ).toMatchObject({ status: 'ok' })
  })

  test('mark a row that this machine cannot measure', () => {
    expect(judge({ hawser: { error: 'no compiler', isAbsent: true } }, { ws: 1 })).toEqual({
      status: 'not here',
      why: ['no compiler'],
    })
  })

  test('mark a row without a floor', () => {
    expect(judge({ hawser: { median: 1 } }, null)).toEqual({ status: 'no floor', why: [] })
  })
})

describe('the rows and their floors', () => {
  test('match: every row over sockets has a floor, and every floor a row', () => {
    const result = evaluate(
      'verdict.mjs',
      `
        const { FLOORS } = await import(new URL('../floors.mjs', import.meta.resolve(input.module)))
        const { WORKLOADS } = await import(new URL('../workloads.mjs', import.meta.resolve(input.module)))
        const names = WORKLOADS.map(({ name }) => name)
        return {
          twice: names.filter((name, index) => names.indexOf(name) !== index),
          floorless: WORKLOADS.filter(({ name, kind }) => kind !== 'micro' && kind !== 'cores' && !FLOORS[name]).map(({ name }) => name),
          rowless: Object.keys(FLOORS).filter((name) => !names.includes(name) && !name.startsWith('allocated, ')),
          strangers: WORKLOADS.filter(({ kind, contenders }) => kind !== 'cores' && (!contenders.includes('hawser') || !contenders.includes('ws'))),
        }
      `,
      { module: new URL('../../../benchmarks/lib/verdict.mjs', `file://${__filename}`).href },
    )
    expect(result).toEqual({ twice: [], floorless: [], rowless: [], strangers: [] })
  })
})
