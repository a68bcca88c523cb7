import { evaluate } from './evaluate.js'

describe('the scripts of the peers', () => {
  test('follow each other as often as their weights say, spread evenly', () => {
    expect(
      evaluate('script-file.mjs', 'return subject.sequenceOf(input)', [{ weight: 4 }, { weight: 1 }, {}]),
    ).toEqual([0, 0, 1, 2, 0, 0])
  })

  test('have a name each, and end', () => {
    const ways = evaluate(
      'ways.mjs',
      'return subject.WAYS.map(({ kind, name, steps }) => ({ name: kind + name, last: steps.at(-1).op }))',
    ) as {
      readonly name: string
      readonly last: string
    }[]
    expect(ways.length).toBeGreaterThan(60)
    expect(new Set(ways.map(({ name }) => name)).size).toBe(ways.length)
    expect(ways.filter(({ last }) => last !== 'close' && last !== 'reset')).toEqual([])
  })

  test('are written as counts, scripts, steps, the sequence, and bytes that stand once', () => {
    expect(
      evaluate(
        'script-file.mjs',
        `
          const { mkdtempSync, readFileSync, rmSync } = await import('node:fs')
          const { tmpdir } = await import('node:os')
          const { join } = await import('node:path')
          const steps = await import(new URL('./steps.mjs', input))
          const folder = mkdtempSync(join(tmpdir(), 'hawser-test-'))
          const file = join(folder, 'scripts')
          subject.writeScripts(file, [
            { steps: [steps.send('ab'), steps.reset()], receiveBuffer: 9 },
            { steps: [steps.send('ab'), steps.head(403), steps.dribble('cd', 7), steps.close()] },
          ])
          const bytes = readFileSync(file)
          rmSync(folder, { recursive: true })
          const numbers = Array.from({ length: (bytes.length - 4) / 4 }, (_, at) => bytes.readUInt32LE(4 * at))
          return { numbers, end: bytes.toString('latin1', bytes.length - 4) }
        `,
        new URL('../../../soak/lib/', `file://${__filename}`).href,
      ),
    ).toEqual({
      numbers: [
        ...[2, 6, 2, 4],
        ...[0, 2, 9, 2, 4, 0],
        ...[1, 0, 2, 0, 7, 0, 0, 0],
        ...[1, 0, 2, 0, 2, 403, 30_000, 0, 10, 2, 2, 7, 8, 0, 0, 0],
        ...[0, 1],
      ],
      end: 'abcd',
    })
  })

  test('have frames as RFC 6455 section 5.2 has them, with a mask', () => {
    const frames = evaluate(
      'steps.mjs',
      `return [subject.frame(0x81, 'a'), subject.frame(0x82, '', 0x40000000), subject.closeFrame(1000), subject.frame(0x82, Buffer.alloc(200))]
        .map((bytes) => bytes.toString('hex', 0, 14))`,
    ) as string[]
    expect(frames).toEqual([
      '81815a0f96c33b',
      '82ff00000000400000005a0f96c3',
      '88825a0f96c359e7',
      '82fe00c85a0f96c35a0f96c35a0f',
    ])
  })
})

describe('what the machine did', () => {
  test('is read of each core and of each process', () => {
    expect(
      evaluate('machine.mjs', 'return [subject.readCores(input.cores), subject.readTimes(input.process)]', {
        cores: 'cpu  1 2\ncpu0 10 1 20 100 5 2 3 4 0 0\ncpu1 0 0 0 50 0 0 0 0 0 0\nintr 5\n',
        process: `12 (a) b (c) ${['S', ...Array.from({ length: 10 }, () => '7'), '31', '42', '0', '0'].join(' ')}`,
      }),
    ).toEqual([
      [
        { busy: 40, system: 25, all: 145 },
        { busy: 0, system: 0, all: 50 },
      ],
      { user: 31, system: 42 },
    ])
  })

  test('is a share of the time that passed, without the processes of the run among the others', () => {
    const at = (time: number, own: number, busy: number, other: number): object => ({
      at: time,
      all: {
        at: time,
        steal: 0,
        processes: [
          ['7', { name: 'own', ticks: own }],
          ['8', { name: 'other', ticks: other }],
        ],
      },
      cores: [{ busy, system: 0, all: time / 10 }],
      own: { server: { user: own, system: 0, main: own / 2 } },
    })
    expect(
      evaluate(
        'machine.mjs',
        `
          const [before, after] = input.map((one) => ({ ...one, all: { ...one.all, processes: new Map(one.all.processes) } }))
          return subject.difference(before, after, { server: 7 })
        `,
        [at(0, 0, 0, 0), at(1000, 60, 80, 10)],
      ),
    ).toEqual({
      own: { server: { user: 0.6, system: 0, main: 0.3 } },
      cores: [{ busy: 0.8, system: 0 }],
      othersShare: 0.1,
      busiest: [{ name: 'other', share: 0.1 }],
    })
  })
})
