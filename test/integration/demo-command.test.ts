// slow: builds the command
/** The `hawser` command as a process of its own, built for this test. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { connect } from '../../src/index.js'
import { BUILD_TIMEOUT_MS, BuiltCommand } from '../helpers/built-command.js'

let command: BuiltCommand

beforeAll(async () => {
  command = await BuiltCommand.build()
}, BUILD_TIMEOUT_MS)

afterAll(async () => {
  await command.remove()
})

/** Starts the server on a free port, and waits for the line that says where. */
async function serve(
  ...argv: readonly string[]
): Promise<{ child: ChildProcess; line: string; port: number }> {
  const server = command.start([...argv, '--port', '0'])
  await server.shows(/\n/)
  return { child: server.child, line: server.output, port: Number(/:(\d+)\//.exec(server.output)?.[1]) }
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
    [
      ['start'],
      'hawser: unknown command "start": there are connect and serve (hawser --help lists the flags)\n',
    ],
    [['serve', '--wat'], 'hawser: unknown flag --wat (hawser serve --help lists the flags)\n'],
    [['connect', '--wat'], 'hawser: unknown flag --wat (hawser connect --help lists the flags)\n'],
  ])('%j prints one line and ends with exit code 2', async (argv, errors) => {
    expect(await command.run(argv)).toEqual({ code: 2, output: '', errors })
  })
})

test('--help prints the flags of both commands', async () => {
  const { code, output, errors } = await command.run(['--help'])
  expect([code, errors]).toEqual([0, ''])
  expect(output).toMatch(/hawser connect URL[^]*--header[^]*hawser serve[^]*--host NAME[^]*--port, -p PORT/)
})

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../package.json'), 'utf8')) as {
    version: string
  }
  expect(await command.run(['--version'])).toEqual({ code: 0, output: `${version}\n`, errors: '' })
})

test('a port in use makes the command print one line and end with exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  expect(await command.run(['--port', String(port), '--host', '127.0.0.1'])).toEqual({
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

describe('serve --echo', () => {
  test('echoes at every path, with the first subprotocol that is offered, and has no page', async () => {
    const { child, line, port } = await serve('serve', '--echo')
    expect(line).toBe(`Hawser echoes at ws://localhost:${port}/ and every path below (Ctrl+C ends it)\n`)
    for (const path of ['/', '/a/b?c']) {
      const socket = await connect(`ws://localhost:${port}${path}`, { protocols: ['one', 'two'] })
      expect(socket.protocol).toBe('one')
      socket.send(Uint8Array.of(1, 2))
      expect(await socket.receive()).toEqual(Buffer.of(1, 2))
      await socket.close(1000)
    }
    const response = await fetch(`http://localhost:${port}/`)
    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket'])
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('lets pages of this machine and of --origin connect, and no others', async () => {
    const { child, port } = await serve('serve', '--echo', '--origin', 'https://app.example')
    const url = `ws://localhost:${port}/`
    for (const origin of ['http://localhost:3000', 'https://app.example']) {
      await (await connect(url, { origin })).close(1000)
    }
    await expect(connect(url, { origin: 'https://evil.example' })).rejects.toMatchObject({ httpStatus: 403 })
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
})
