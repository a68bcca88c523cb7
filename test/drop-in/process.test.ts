// slow: it builds the drop-in, and starts a Node of its own for each case
/** What a process with `ws`, and one with the drop-in, does at its end, and where a handler throws. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as ws from 'ws'

const ROOT = path.join(__dirname, '../..')

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-drop-in-'))
  const out = path.join(directory, 'drop-in.js')
  execFileSync(process.execPath, [path.join(ROOT, 'scripts/build-drop-in.mjs'), '--out', out])
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "commonjs" }')
}, 60_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Ended {
  readonly status: number | null
  readonly output: string
  readonly errors: string
}

/** Runs a program, which has the class as WebSocket, and `url` as the first argument. */
async function run(library: string, code: string, url = ''): Promise<Ended> {
  const file = path.join(directory, `program-${String(Math.random()).slice(2)}.js`)
  const from = library === 'ws' ? path.join(ROOT, 'node_modules/ws') : path.join(directory, 'drop-in.js')
  const head = `const WebSocket = require(${JSON.stringify(from)})\nconst url = process.argv[2]\n`
  writeFileSync(file, head + code)
  const child = spawn(process.execPath, [file, url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, output, errors }
}

/** A server of `ws` that keeps what it receives, until its one connection ends. */
async function receiving(
  act: (url: string) => Promise<Ended>,
): Promise<Ended & { readonly received: unknown[] }> {
  const server = new ws.WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const received: unknown[] = []
  const over = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      socket.on('message', (data) => received.push((data as Buffer).length))
      socket.on('close', (code) => {
        received.push(`close ${String(code)}`)
        resolve()
      })
    })
  })
  try {
    const ended = await act(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
    await over
    return { ...ended, received }
  } finally {
    server.close()
  }
}

/** A connection of a process to itself: `server`, `client` and `accepted` are there in \`body\`. */
const toItself = (body: string): string => `
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' }, () => {
    const client = new WebSocket('ws://127.0.0.1:' + server.address().port, { perMessageDeflate: false })
    server.on('connection', (accepted) => {
      const go = () => { ${body} }
      if (client.readyState === 1) go()
      else client.on('open', go)
    })
  })`

describe.each(['ws', 'the drop-in'])('A process with %s', (library) => {
  it('ends with status 1 and the error where a handler throws and nobody listens for it', async () => {
    const { status, output, errors } = await run(
      library,
      toItself(`
        accepted.on('message', () => { throw new Error('by the handler') })
        client.send('a')
        setTimeout(() => console.log('still there'), 20_000)`),
    )
    expect([status, output]).toEqual([1, ''])
    expect(errors).toContain('Error: by the handler')
  })

  it.each(['message', 'ping', 'pong', 'close'])(
    'hears what a handler of %s throws once, as an uncaught exception, and goes on',
    async (event) => {
      const { status, output, errors } = await run(
        library,
        toItself(`
          const lines = []
          const heard = (line) => {
            lines.push(line)
            if (lines.length === 2) setImmediate(() => setImmediate(() => {
              console.log(lines.sort().join())
              process.exit(0)
            }))
          }
          process.on('uncaughtException', (error) => heard(error.message))
          accepted.on('${event}', () => { throw new Error('by ${event}') })
          client.send('a')
          client.ping()
          client.pong()
          setImmediate(() => client.terminate())
          client.on('close', () => heard('client closed'))`),
      )
      expect({ status, errors, output }).toEqual({
        status: 0,
        errors: '',
        output: `by ${event},client closed\n`,
      })
    },
  )

  it.each([
    [1, 1],
    [100, 100],
    [3, 10_000],
  ])('sends %d messages of %d bytes before process.exit', async (count, size) => {
    const { status, received } = await receiving((url) =>
      run(
        library,
        `const socket = new WebSocket(url, { perMessageDeflate: false })
         socket.on('open', () => {
           for (let at = 0; at < ${String(count)}; at++) socket.send(Buffer.alloc(${String(size)}))
           process.exit(3)
         })`,
        url,
      ),
    )
    expect(status).toBe(3)
    expect(received).toEqual([...Array<number>(count).fill(size), 'close 1006'])
  })

  it('sends what was sent before its natural end: megabytes, and the Close frame', async () => {
    const { status, errors, received } = await receiving((url) =>
      run(
        library,
        `const socket = new WebSocket(url)
         socket.on('open', () => {
           for (let at = 0; at < 8; at++) socket.send(Buffer.alloc(1024 * 1024))
           socket.close(4000)
         })`,
        url,
      ),
    )
    expect({ status, errors }).toEqual({ status: 0, errors: '' })
    expect(received).toEqual([...Array<number>(8).fill(1024 * 1024), 'close 4000'])
  })

  it('is not kept alive by a socket without a reference, whose messages leave all the same', async () => {
    const { status, received } = await receiving((url) =>
      run(
        library,
        `const socket = new WebSocket(url, { perMessageDeflate: false })
         socket.on('open', () => {
           socket._socket.unref()
           socket.send('the last')
         })`,
        url,
      ),
    )
    expect(status).toBe(0)
    expect(received).toEqual([8, 'close 1006'])
  })

  it('ends by itself once a server is closed and its connections are', async () => {
    const { status, errors, output } = await run(
      library,
      toItself(`
        accepted.on('message', (data) => { accepted.send(data); accepted.close(1000); server.close() })
        client.on('message', (data) => console.log(data.length))
        client.send(Buffer.alloc(2_000_000))`),
    )
    expect({ status, errors, output }).toEqual({ status: 0, errors: '', output: '2000000\n' })
  })
})
