// slow: builds the command
/** `hawser connect` in a real terminal: keys, what stands on the screen, and how it ends. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { WebSocketServer, type ServerSocket } from '../../src/index.js'
import { BUILD_TIMEOUT_MS, BuiltCommand } from '../helpers/built-command.js'
import { KEYS, Terminal } from '../helpers/terminal.js'

let command: BuiltCommand
let server: WebSocketServer
let url: string
/** How the server's connections ended, in order. */
let ends: (readonly [code: number, reason: string])[]
let peer: ServerSocket | undefined
const terminals: Terminal[] = []

beforeAll(async () => {
  command = await BuiltCommand.build()
}, BUILD_TIMEOUT_MS)

afterAll(async () => {
  await command.remove()
})

beforeEach(async () => {
  ends = []
  server = new WebSocketServer()
  server.route('/echo', {
    onOpen: (socket) => void (peer = socket),
    onMessage: (_socket, message) => message,
    onClose: (_socket, { code, reason }) => void ends.push([code, reason]),
  })
  const { port } = await server.listen(0)
  url = `ws://localhost:${String(port)}`
})

afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.kill()
  await server.close({ timeoutMs: 100 })
})

/** Starts the command in a terminal. */
function open(argv: readonly string[], options: ConstructorParameters<typeof Terminal>[1] = {}): Terminal {
  const terminal = new Terminal([process.execPath, command.file, ...argv], options)
  terminals.push(terminal)
  return terminal
}

/** The same, and waits for the connection. */
async function connect(
  flags: readonly string[] = [],
  options: ConstructorParameters<typeof Terminal>[1] = {},
): Promise<Terminal> {
  const terminal = open(['connect', `${url}/echo`, ...flags], options)
  await terminal.shows(/^connected to/)
  return terminal
}

describe('the prompt', () => {
  test('sends what is typed, shows what comes back, and closes with 1000 at Ctrl+C', async () => {
    const terminal = await connect()
    terminal.type(`hello${KEYS.ENTER}`)
    await terminal.shows(/< hello\n>$/)
    terminal.type(KEYS.CTRL_C)
    expect(await terminal.ended).toBe(0)
    expect(terminal.text.split('\n')).toEqual([
      `connected to ${url}/echo (permessage-deflate)`,
      '> hello',
      '< hello',
      'closed with 1000',
      '',
    ])
    expect(ends).toEqual([[1000, '']])
  })

  test('has a history behind the arrow keys', async () => {
    const terminal = await connect()
    terminal.type(`first${KEYS.ENTER}`)
    await terminal.shows(/< first/)
    terminal.type(`second${KEYS.ENTER}`)
    await terminal.shows(/< second/)
    terminal.type(`${KEYS.UP}${KEYS.UP}`)
    await terminal.shows(/> first$/)
    terminal.type(` again${KEYS.ENTER}`)
    await terminal.shows(/< first again/)
    terminal.type(KEYS.CTRL_D)
    expect(await terminal.ended).toBe(0)
    expect(ends).toEqual([[1000, '']])
  })

  test('keeps a line that is being typed when a message arrives, also one of several rows', async () => {
    const terminal = await connect([], { columns: 40 })
    const typed = 'a line that is longer than the forty columns of this terminal'
    // Key by key: a terminal gives a paste in one piece.
    for (const key of typed) {
      terminal.type(key)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await terminal.shows(/of this terminal$/)
    peer?.send('meanwhile')
    await terminal.shows(/< meanwhile\n> a line[^]*of this terminal$/)
    terminal.type(`!${KEYS.ENTER}`)
    await terminal.shows(/< a line[^<]*!/)
    const rows = terminal.text.split('\n').slice(-6)
    expect(rows).toEqual([
      '< meanwhile',
      '> a line that is longer than the forty c',
      'olumns of this terminal!',
      '< a line that is longer than the forty c',
      'olumns of this terminal!',
      '>',
    ])
  })

  test('shows JSON indented, bytes as a hexdump, and control characters as text', async () => {
    const terminal = await connect()
    const long = 'x'.repeat(60)
    peer?.send(`{"a":[1,2],"b":"${long}"}`)
    peer?.send(Buffer.from('bytes\0'))
    peer?.send('\x1b[2J\x1b]0;title\x07')
    await terminal.shows(/title/)
    expect(terminal.text.split('\n').slice(1)).toEqual(
      [
        '< {',
        '    "a": [',
        '      1,',
        '      2',
        '    ],',
        `    "b": "${long}"`,
        '  }',
        '< 6 bytes',
        '  00000000  62 79 74 65 73 00                                 |bytes.|',
        '< \\u001b[2J\\u001b]0;title\\u0007',
        '> ',
      ].map((line) => line.trimEnd()),
    )
    expect(terminal.raw).not.toContain('\x1b[2J')
  })

  test('takes commands, and says what is wrong with one', async () => {
    const terminal = await connect()
    terminal.type(`/ping${KEYS.ENTER}`)
    await terminal.shows(/pong after \d+\.\d ms/)
    terminal.type(`/binary hex 00 41${KEYS.ENTER}`)
    await terminal.shows(/< 2 bytes\n {2}00000000 {2}00 41 .*\|\.A\|/)
    terminal.type(`//ping${KEYS.ENTER}`)
    await terminal.shows(/< \/ping/)
    terminal.type(`/pong${KEYS.ENTER}`)
    await terminal.shows(/hawser: unknown command \/pong/)
    terminal.type(`/close 1006${KEYS.ENTER}`)
    await terminal.shows(/hawser: .*1006/)
    terminal.type(`/help${KEYS.ENTER}`)
    await terminal.shows(/\/close \[CODE \[REASON\]\]/)
    terminal.type(`/close 4000 bye${KEYS.ENTER}`)
    expect(await terminal.ended).toBe(0)
    expect(ends).toEqual([[4000, 'bye']])
  })

  test('shows frames above it with --frames, and each message after its frame', async () => {
    const terminal = await connect(['--frames', '--no-compression'])
    terminal.type(`hi${KEYS.ENTER}`)
    await terminal.shows(/< hi\n>$/)
    terminal.type(KEYS.CTRL_D)
    expect(await terminal.ended).toBe(0)
    const lines = terminal.text.replace(/(?<=masked with )[\da-f]{8}/g, 'KEY').split('\n')
    expect(lines.filter((line) => !line.startsWith('  '))).toEqual([
      `connected to ${url}/echo`,
      '> hi',
      'sent TEXT, 2 bytes, masked with KEY',
      'received TEXT, 2 bytes',
      '< hi',
      'sent CLOSE, 2 bytes, masked with KEY, code 1000',
      'received CLOSE, 2 bytes, code 1000',
      'closed with 1000',
      '',
    ])
  })

  test('says with --reconnect when it waits and is back, and sends nothing meanwhile', async () => {
    const terminal = await connect(['--reconnect'], { columns: 200 })
    const { port } = new URL(url)
    await server.close({ timeoutMs: 100 })
    await terminal.shows(
      /the server closed the connection with 1001.*; attempt 1 to connect again follows in \d\.\d s/,
    )
    terminal.type(`too early${KEYS.ENTER}`)
    await terminal.shows(/hawser: not sent: there is no connection/)
    terminal.type(`/ping${KEYS.ENTER}`)
    await terminal.shows(/(hawser: not sent: there is no connection[^]*){2}/)
    server = new WebSocketServer()
    server.route('/echo', { onMessage: (_socket, message) => message })
    await server.listen(Number(port))
    await terminal.shows(/connected again to/)
    terminal.type(`${KEYS.UP}${KEYS.UP}${KEYS.ENTER}`)
    await terminal.shows(/< too early/)
    terminal.type(KEYS.CTRL_C)
    expect(await terminal.ended).toBe(0)
  })

  test('goes away when the server closes, and the exit code says how', async () => {
    const terminal = await connect()
    terminal.type('half a line')
    await terminal.shows(/half a line$/)
    void peer?.close(1011, 'out of order')
    expect(await terminal.ended).toBe(6)
    expect(terminal.text).toMatch(/\nhawser: the server closed the connection with 1011, "out of order"\n$/)
  })

  test('cuts a connection whose peer does not answer at a second Ctrl+C', async () => {
    const terminal = await connect()
    peer?.pause()
    terminal.type(KEYS.CTRL_C)
    await new Promise((resolve) => setTimeout(resolve, 300))
    terminal.type(KEYS.CTRL_C)
    expect(await terminal.ended).toBe(130)
    peer?.resume()
  })
})

describe('a terminal', () => {
  test('has colours, and none with NO_COLOR', async () => {
    const coloured = await connect([], { env: { NO_COLOR: '' } })
    peer?.send('{"a":1}')
    await coloured.shows(/< \{ "a": 1 \}/)
    expect(coloured.raw).toContain('\x1b[36m"a"\x1b[39m')
    const plain = await connect([], { env: { NO_COLOR: '1' } })
    peer?.send('{"a":1}')
    await plain.shows(/< \{ "a": 1 \}/)
    // eslint-disable-next-line no-control-regex -- ESC begins a colour
    expect(plain.raw).not.toMatch(/\x1b\[\d+m/)
  })

  test('ends an attempt to connect at Ctrl+C', async () => {
    const mute = createServer().listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const terminal = open(['connect', `ws://127.0.0.1:${String((mute.address() as AddressInfo).port)}/`])
    await once(mute, 'connection')
    terminal.type(KEYS.CTRL_C)
    expect(await terminal.ended).toBe(130)
    mute.close()
  })

  test('whose input is a pipe still shows messages for people, and no prompt', async () => {
    const script = `printf '{"a":1}' | "$0" "$@"`
    const terminal = new Terminal([
      '/bin/sh',
      '-c',
      script,
      process.execPath,
      command.file,
      'connect',
      `${url}/echo`,
      '--wait',
      '0',
    ])
    terminals.push(terminal)
    expect(await terminal.ended).toBe(0)
    expect(terminal.text).toBe('< { "a": 1 }\n')
  })
})
