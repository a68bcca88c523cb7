// slow: builds the command
/** The `hawser` command as a process of its own, built for this test. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect } from '../../src/index.js'

const root = path.join(__dirname, '../..')
const BUILD_TIMEOUT_MS = 180_000

let temp: string
let command: string
const running = new Set<ChildProcess>()

beforeAll(async () => {
  temp = await mkdtemp(path.join(tmpdir(), 'hawser-command-'))
  command = path.join(temp, 'dist/demo/main.js')
  // It imports hawser by its name, which Node looks for in the package.json above it.
  await copyFile(path.join(root, 'package.json'), path.join(temp, 'package.json'))
  const build = path.join(root, 'scripts/build.mjs')
  const { code, output } = await run([build, '--out', path.join(temp, 'dist'), '--code-only'])
  if (code !== 0) throw new Error(`the build failed:\n${output}`)
}, BUILD_TIMEOUT_MS)

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL')
  await rm(temp, { recursive: true, force: true })
})

/** Runs a script to its end. */
async function run(
  argv: readonly string[],
): Promise<{ code: number | null; output: string; errors: string }> {
  const child = start(argv)
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

function start(argv: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Starts the server on a free port, and waits for the line that says where. */
async function serve(
  ...argv: readonly string[]
): Promise<{ child: ChildProcess; line: string; port: number }> {
  const child = start([command, '--port', '0', ...argv])
  let line = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (line += text))
  while (!line.endsWith('\n')) await once(child.stdout as NodeJS.ReadableStream, 'data')
  return { child, line, port: Number(/:(\d+)\//.exec(line)?.[1]) }
}

describe('a wrong command line', () => {
  test.each([
    [['--wat'], 'hawser: unknown flag --wat (hawser --help lists the flags)\n'],
    [
      ['--port', '99999'],
      'hawser: --port must be a whole number from 0 to 65535, not "99999" (hawser --help lists the flags)\n',
    ],
    [
      ['--port', 'abc'],
      'hawser: --port must be a whole number from 0 to 65535, not "abc" (hawser --help lists the flags)\n',
    ],
    [['start'], 'hawser: unexpected argument "start" (hawser --help lists the flags)\n'],
  ])('%j prints one line and ends with exit code 2', async (argv, errors) => {
    expect(await run([command, ...argv])).toEqual({ code: 2, output: '', errors })
  })
})

test('--help prints the flags', async () => {
  const { code, output, errors } = await run([command, '--help'])
  expect([code, errors]).toEqual([0, ''])
  expect(output).toMatch(/^Serves a WebSocket echo[^]*--host NAME[^]*--port, -p PORT/)
})

test('a port in use makes the command print one line and end with exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  expect(await run([command, '--port', String(port), '--host', '127.0.0.1'])).toEqual({
    code: 1,
    output: '',
    errors: `hawser: port ${port} on 127.0.0.1 is in use: choose another one with --port, or --port 0 for any free one\n`,
  })
  other.close()
})

describe('the server', () => {
  test('prints its URL in one line, and serves the page and the echo there', async () => {
    const { child, line, port } = await serve()
    expect(line).toBe(`Hawser serves http://localhost:${port}/ (Ctrl+C ends it)\n`)
    const page = await (await fetch(`http://localhost:${port}/`)).text()
    expect(page).toMatch(/^<!doctype html>/)
    const socket = await connect(`ws://localhost:${port}/echo`)
    socket.send('Hello')
    expect(await socket.receive()).toBe('Hello')
    child.kill('SIGKILL')
    await once(child, 'exit')
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'closes connections with 1001 and ends with 0 after %s',
    async (signal) => {
      const { child, port } = await serve()
      const socket = await connect(`ws://localhost:${port}/echo`)
      const ended = socket.receive().catch((error: unknown) => error)
      child.kill(signal)
      expect(await ended).toMatchObject({ closeCode: 1001 })
      expect(await once(child, 'exit')).toEqual([0, null])
    },
  )

  test('does not wait for peers that do not answer after a second signal', async () => {
    const { child, port } = await serve()
    const socket = await connect(`ws://localhost:${port}/echo`)
    // Its Close frame is not read, and so never answered.
    socket.pause()
    child.kill('SIGINT')
    // Within a third of a second it would count as the same request.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(child.exitCode).toBeNull()
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])
    socket.terminate()
  })
})
