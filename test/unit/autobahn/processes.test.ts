// slow: processes that hang must be ended
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { call, evaluate } from './evaluate.js'

const CHILDREN = pathToFileURL(join(__dirname, '../../../autobahn/lib/children.mjs')).href

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hawser-test-'))
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function waitUntilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('child processes', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'end after %s, and so do their own children',
    async (signal) => {
      const script = `
      import { startChild } from ${JSON.stringify(CHILDREN)}
      const child = startChild('/bin/sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'inherit', 'ignore'] })`
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script])
      const [chunk] = (await once(parent.stdout, 'data')) as [Buffer]
      const sleeper = Number(chunk.toString())
      expect(isAlive(sleeper)).toBe(true)
      parent.kill(signal)
      const [status] = (await once(parent, 'exit')) as [number]
      expect(status).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal])
      await waitUntilGone(sleeper)
    },
  )

  test('report a command that does not exist, one that fails, and one that takes too long', () => {
    const body = 'return (await subject.runCommand(...input))'
    expect(evaluate('children.mjs', body, ['/nowhere/command', []])).toMatchObject({ ok: false })
    expect(evaluate('children.mjs', body, ['/bin/sh', ['-c', 'echo said; exit 3']])).toEqual({
      ok: false,
      how: 'exit status 3',
      output: 'said\n',
    })
    expect(evaluate('children.mjs', body, ['/bin/sh', ['-c', 'sleep 60'], { timeoutMs: 50 }])).toEqual({
      ok: false,
      how: 'ended by SIGKILL',
      output: '',
    })
  })
})

describe('a role whose suite misbehaves', () => {
  /** Runs a role against `ws`, with a shell script in the place of wstest. */
  function runRole(role: 'server' | 'client', script: string, stallMs = 10_000): unknown {
    const name = role === 'server' ? 'runServerRole' : 'runClientRole'
    return evaluate(
      `run-${role}-role.mjs`,
      `const suite = { version: '', outdir: (dir) => dir, command: () => ({ command: '/bin/sh', args: ['-c', input.script] }) }
       const run = { contender: 'ws', suite, cases: ['*'], total: 2, dir: input.dir, stallMs: input.stallMs, onProgress() {} }
       return subject.${name}(run)`,
      { script, dir, stallMs },
    )
  }

  test('is ended when it hangs, and the error names the case', () => {
    const hang = 'echo "Running test case ID 1.1.2 for agent ws from peer tcp4:1"; sleep 60'
    expect(runRole('server', hang, 5_000)).toEqual({
      threw: expect.stringMatching(
        /^hung: nothing happened for 5 s \(in case 1\.1\.2; see .*wstest\.log\)$/,
      ) as string,
      exitCode: 1,
    })
    expect(runRole('client', 'sleep 60', 200)).toEqual({
      threw: expect.stringMatching(/^hung: .* \(before the first case; see .*wstest\.log\)$/) as string,
      exitCode: 1,
    })
  })

  test('is reported with its exit status when it ends without a report', () => {
    const told = /^the suite ended \(exit status 5\) before the first case.*: see .*wstest\.log$/
    for (const role of ['server', 'client'] as const) {
      expect(runRole(role, 'exit 5')).toEqual({ threw: expect.stringMatching(told) as string, exitCode: 1 })
    }
  })

  test('has its report read', () => {
    const index = '{"ws":{"1.1.1":{"behavior":"OK","behaviorClose":"OK","duration":3}}}'
    expect(runRole('server', `echo '${index}' > ${dir}/index.json`)).toEqual({
      results: { '1.1.1': { behavior: 'OK', behaviorClose: 'OK' } },
      seconds: expect.any(Number) as number,
    })
  })
})

describe('the age of a build', () => {
  test('is that of its newest file, at any depth, and 0 without a file', () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true })
    expect(call('prepare-contender.mjs', 'newestChangeMs', dir)).toBe(0)
    expect(call('prepare-contender.mjs', 'newestChangeMs', join(dir, 'absent'))).toBe(0)
    for (const [name, seconds] of [
      ['old.js', 1000],
      ['a/b/new.js', 3000],
      ['a/mid.js', 2000],
    ] as const) {
      writeFileSync(join(dir, name), '')
      utimesSync(join(dir, name), seconds, seconds)
    }
    expect(call('prepare-contender.mjs', 'newestChangeMs', dir)).toBe(3_000_000)
  })
})
