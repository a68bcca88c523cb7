// long: builds each target with a fault planted in it, and fuzzes it until the fault is found
/** Each target of the fuzzer finds a fault that is planted in the sources it was built from: never in src itself. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.join(__dirname, '../..')
const TARGETS = readdirSync(path.join(root, 'fuzz/targets'))
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => !['choices', 'differences', 'heads', 'peer-frames'].includes(name))

interface Planted {
  readonly target: string
  /** What is wrong with it. */
  readonly fault: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const PLANTED: readonly Planted[] = [
  {
    target: 'frame-parser',
    fault: 'a payload of 96 bytes and more may have a length of 16 bits',
    file: 'src/frame/frame-parser.ts',
    from: "if (length < PAYLOAD_LENGTH_16) return this.fail('HAWSER_NON_MINIMAL_LENGTH')",
    to: "if (length < PAYLOAD_LENGTH_16 - 30) return this.fail('HAWSER_NON_MINIMAL_LENGTH')",
  },
  {
    target: 'close-payload',
    fault: 'a Close frame may have the code 1015',
    file: 'src/frame/close-code.ts',
    from: '(code >= 1007 && code <= 1014)',
    to: '(code >= 1007 && code <= 1015)',
  },
  {
    target: 'extension-header',
    fault: 'a backslash may stand before anything',
    file: 'src/handshake/extension-header.ts',
    from: "if (code !== BACKSLASH || !isTokenCode(this.#text.charCodeAt(this.#at))) return ''",
    to: "if (code !== BACKSLASH) return ''",
  },
  {
    target: 'server-handshake',
    fault: 'a request may announce a body',
    file: 'src/handshake/server-handshake.ts',
    from: "some((length) => length !== '0')",
    to: "some((length) => length === '')",
  },
  {
    target: 'client-handshake',
    fault: 'an extension may be chosen twice',
    file: 'src/handshake/client-handshake.ts',
    from: 'if (!expected.delete(name))',
    to: 'if (!expected.has(name))',
  },
  {
    target: 'inflate',
    fault: 'a message may have one byte more than is allowed, by the documented calls',
    file: 'src/deflate/inflater.ts',
    from: 'if (this.total > this.maxBytes) return messageTooBig(this.maxBytes)',
    to: 'if (this.total > this.maxBytes + 1) return messageTooBig(this.maxBytes)',
  },
  {
    target: 'envelope',
    fault: 'any close code may come over a backplane',
    file: 'src/backplane/envelope.ts',
    from: '  } catch {\n    return false\n  }\n}\n\nconst hasEntries',
    to: '  } catch {\n    return true\n  }\n}\n\nconst hasEntries',
  },
  {
    target: 'connection',
    fault: 'a second call of close sends a second Close frame',
    file: 'src/connection/connection.ts',
    from: '    if (!this.isSendable) return\n    this.end.close(code, reason)',
    to: '    this.end.close(code, reason)',
  },
  {
    target: 'ws-frames',
    fault: 'a text may end inside a character',
    file: 'src/frame/message-assembler.ts',
    from: 'if (this.validator !== null && !this.validator.isComplete)',
    to: 'if (this.validator === null && this.opcode < 0)',
  },
  {
    target: 'ws-handshake',
    fault: 'a handshake may be without a key',
    file: 'src/handshake/server-handshake.ts',
    from: 'if (key === undefined || !isValidKey(key))',
    to: 'if (key === undefined)',
  },
]

const folder = mkdtempSync(path.join(tmpdir(), 'hawser-planted-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The same run on every machine, and several times as long as each fault needs. */
const BOUND = ['--executions', '60000', '--lane', 'native']
/** A small fault is behind few ways: where one beginning does not come by, another does. */
const SEEDS = ['1', '2', '3']

function fuzz(
  flags: readonly string[],
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(process.execPath, ['fuzz/run.mjs', '--findings', folder, ...flags], { cwd: root })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })))
}

describe('a fault that is planted', () => {
  test('is there for each target', () => {
    expect(PLANTED.map(({ target }) => target).sort()).toEqual(TARGETS.sort())
  })

  /** Fuzzes what has the fault. @returns the file of what was found */
  async function expectFound({ target, fault: _, ...patch }: Planted, patches: string): Promise<string> {
    writeFileSync(patches, JSON.stringify([patch]))
    let [status, output]: [number | null, string] = [0, '']
    for (const seed of SEEDS) {
      if (status !== 0) break
      const flags = ['--target', target, '--patches', patches, '--seed', seed, ...BOUND]
      ;({ status, output } = await fuzz(flags))
    }
    expect(output).toContain(`FOUND in ${target}, lane native:`)
    expect(status).toBe(1)
    // The folder may have others of this target: a busy machine shortens another input.
    const printed = new RegExp(`replay: .* --target ${target} --lane native --replay (\\S+[.]bin)`).exec(
      output,
    )
    const file = path.resolve(root, printed?.[1] ?? 'none was printed')
    expect(readdirSync(folder)).toContain(path.basename(file))
    return file
  }

  test.each(PLANTED)(
    'is found by $target: $fault',
    async (planted) => {
      await expectFound(planted, path.join(folder, `${planted.target}.json`))
    },
    300_000,
  )

  test.each([
    ['that no input comes back from', 'for (;;) continue', 'no end after 3000 ms'],
    ['that ends the process', 'process.abort()', 'the process ended with SIGABRT'],
    ['that throws in a later turn', "setImmediate(() => { throw new Error('late') })", 'Error: late'],
  ])(
    'is found %s',
    async (_, statement, words) => {
      const patches = path.join(folder, 'fatal.json')
      const from = 'export function decodeClosePayload(payload: Uint8Array): ClosePayload | ProtocolError {'
      const to = `${from}\n  if (payload[0] === 0x0f && payload.length > 20) ${statement}`
      writeFileSync(patches, JSON.stringify([{ file: 'src/frame/close-code.ts', from, to }]))
      const flags = [
        '--target',
        'close-payload',
        '--patches',
        patches,
        '--hang-seconds',
        '3',
        '--seed',
        '1',
        ...BOUND,
      ]
      const { status, output } = await fuzz(flags)
      expect(output).toContain(words)
      expect(output).toMatch(/input \(\d+ bytes\): .*close-payload-\w+[.]bin/)
      expect(status).toBe(1)
    },
    300_000,
  )

  test('is found again by the command that is printed, and not where there is no fault', async () => {
    const planted = PLANTED.find(({ target }) => target === 'close-payload')!
    const patches = path.join(folder, 'again.json')
    const file = await expectFound(planted, patches)
    const replay = ['--target', planted.target, '--lane', 'native', '--replay', file]
    const again = await fuzz([...replay, '--patches', patches])
    expect([again.status, again.output]).toEqual([1, expect.stringContaining('1 found')])
    const clean = await fuzz(replay)
    expect([clean.status, clean.output]).toEqual([0, expect.stringContaining('nothing found')])
  }, 300_000)
})
