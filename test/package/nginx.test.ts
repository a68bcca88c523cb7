/** The configuration of docs/guides/proxies.md in a real nginx, in front of a real server. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { accept, connect, WebSocketServer } from '../../src/index.js'
import { freePort, root } from '../helpers/doc-programs.js'

const isInstalled = spawnSync('nginx', ['-v']).status === 0
// In CI nothing is skipped: without nginx the test fails.
const isSkipped = !isInstalled && process.env['CI'] !== 'true'
if (isSkipped)
  process.stderr.write('The test behind nginx is skipped: no nginx here (Debian: nginx-light).\n')
// eslint-disable-next-line no-restricted-properties -- reported as skipped where there is nothing to run it in
const behindNginx = isSkipped ? describe.skip : describe

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

behindNginx('the nginx of docs/guides/proxies.md', () => {
  let directory: string
  let nginx: ChildProcess
  let complaints = ''
  let server: WebSocketServer
  let url: string

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'hawser-nginx-'))
    const guide = readFileSync(path.join(root, 'docs/guides/proxies.md'), 'utf8')
    const [, config = ''] = /<!-- file: hawser.conf -->\n\n```nginx\n([\s\S]*?)^```$/m.exec(guide) ?? []
    server = new WebSocketServer({ origins: ['https://app.example', (origin) => origin === undefined] })
    server.route('/echo', {
      onUpgrade: ({ headers }) => accept({ data: headers.get('X-Forwarded-For') ?? '' }),
      onOpen: (socket) => {
        socket.send(socket.data)
      },
      onMessage: (_socket, message) => message,
    })
    const { port: behind } = await server.listen(0, '127.0.0.1')
    const front = await freePort()
    const ports = config
      .replace('8080', String(behind))
      .replace('listen 8081', `listen 127.0.0.1:${String(front)}`)
    writeFileSync(
      path.join(directory, 'nginx.conf'),
      `daemon off;\npid nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n${ports}}\n`,
    )
    nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'])
    nginx.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text))
    while (nginx.exitCode === null && !(await canConnect(front))) await delay(20)
    url = `ws://127.0.0.1:${String(front)}/echo`
  })

  afterAll(async () => {
    await (server as WebSocketServer | undefined)?.close()
    if ((nginx as ChildProcess | undefined)?.exitCode === null) {
      nginx.kill()
      await new Promise((resolve) => nginx.once('close', resolve))
    }
    rmSync(directory, { recursive: true, force: true })
  })

  it('passes upgrades on, says who the client is, and keeps text, bytes and compression whole', async () => {
    const socket = await connect(url, { headers: { 'X-Forwarded-For': '10.0.0.1' } })
    expect(await socket.receive()).toBe('127.0.0.1')
    expect(socket.extensions).toContain('permessage-deflate')
    const large = 'hawser '.repeat(20_000)
    socket.send(large)
    socket.send(Buffer.alloc(100_000, 7))
    expect(await socket.receive()).toBe(large)
    expect(await socket.receive()).toEqual(Buffer.alloc(100_000, 7))
    expect(await socket.close(4000, 'done')).toMatchObject({ code: 4000, wasClean: true })
    expect(complaints).toBe('')
  })

  it('passes on what the server answers to an upgrade that it refuses', async () => {
    const notThere = connect(url.replace('/echo', '/nowhere'))
    await expect(notThere).rejects.toMatchObject({ httpStatus: 404 })
    await expect(connect(url, { origin: 'https://evil.example' })).rejects.toMatchObject({ httpStatus: 403 })
    const socket = await connect(url, { origin: 'https://app.example' })
    socket.terminate()
  })

  it('passes on the Close frame of a server that stops', async () => {
    const socket = await connect(url)
    await socket.receive()
    await server.close()
    expect(await socket.closed).toMatchObject({ code: 1001, wasClean: true })
  })
})
