/** The configurations of docs/guides in a real nginx, in front of real servers. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { accept, connect, WebSocketServer, type ClientSocket } from '../../src/index.js'
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

/** An nginx with the configuration that a page of the docs has. */
class Nginx {
  complaints = ''
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'hawser-nginx-'))
  private child: ChildProcess | undefined

  /**
   * @param file the name of the configuration on the page
   * @param behind the ports that take the place of 8080 and 8082
   * @returns the port of nginx
   */
  async start(page: string, file: string, behind: readonly number[]): Promise<number> {
    const text = readFileSync(path.join(root, page), 'utf8')
    const found = new RegExp(`<!-- file: ${file} -->\\n\\n\`\`\`nginx\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)
    const front = await freePort()
    const config = (found?.[1] ?? '')
      .replace('8080', String(behind[0]))
      .replace('8082', String(behind[1]))
      .replace('listen 8081', `listen 127.0.0.1:${String(front)}`)
    writeFileSync(
      path.join(this.directory, 'nginx.conf'),
      `daemon off;\npid nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n${config}}\n`,
    )
    const child = spawn('nginx', ['-p', this.directory, '-c', 'nginx.conf', '-e', 'stderr'])
    this.child = child
    child.stderr.setEncoding('utf8').on('data', (words: string) => (this.complaints += words))
    while (child.exitCode === null && !(await canConnect(front))) await delay(20)
    return front
  }

  async stop(): Promise<void> {
    const { child } = this
    if (child?.exitCode === null) {
      child.kill()
      await new Promise((resolve) => child.once('close', resolve))
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}

behindNginx('the nginx of docs/guides/proxies.md', () => {
  const nginx = new Nginx()
  let server: WebSocketServer
  let url: string

  beforeAll(async () => {
    server = new WebSocketServer({ origins: ['https://app.example', (origin) => origin === undefined] })
    server.route('/echo', {
      onUpgrade: ({ headers }) => accept({ data: headers.get('X-Forwarded-For') ?? '' }),
      onOpen: (socket) => {
        socket.send(socket.data)
      },
      onMessage: (_socket, message) => message,
    })
    const { port: behind } = await server.listen(0, '127.0.0.1')
    const front = await nginx.start('docs/guides/proxies.md', 'hawser.conf', [behind])
    url = `ws://127.0.0.1:${String(front)}/echo`
  })

  afterAll(async () => {
    await (server as WebSocketServer | undefined)?.close()
    await nginx.stop()
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
    expect(nginx.complaints).toBe('')
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

behindNginx('the nginx of docs/guides/deploys.md', () => {
  it('asks the other node for a client while one node closes, and keeps the connections of that one', async () => {
    const nginx = new Nginx()
    const [closes, stays] = [new WebSocketServer(), new WebSocketServer()]
    const ports: number[] = []
    for (const [index, server] of [closes, stays].entries()) {
      server.route('/', { onMessage: () => ['closes', 'stays'][index] })
      ports.push((await server.listen(0, '127.0.0.1')).port)
    }
    const ask = async (socket: ClientSocket): Promise<unknown> => {
      socket.send('who are you?')
      return socket.receive()
    }
    try {
      const url = `ws://127.0.0.1:${String(await nginx.start('docs/guides/deploys.md', 'deploys.conf', ports))}/`
      const before = await Promise.all(Array.from({ length: 8 }, () => connect(url)))
      expect(new Set(await Promise.all(before.map(ask)))).toEqual(new Set(['closes', 'stays']))
      const closing = closes.close({ code: 1012, spreadMs: 600_000 })
      const during = await Promise.all(Array.from({ length: 8 }, () => connect(url)))
      expect(new Set(await Promise.all(during.map(ask)))).toEqual(new Set(['stays']))
      expect(new Set(await Promise.all(before.map(ask)))).toEqual(new Set(['closes', 'stays']))
      await Promise.all([closes.close(), closing])
      const ends = before.filter(({ readyState }) => readyState !== 1).map((socket) => socket.closed)
      for (const { code, reason } of await Promise.all(ends)) {
        expect([code, reason]).toEqual([1012, 'retry-after-ms=0'])
      }
      expect(ends.length).toBeGreaterThan(0)
    } finally {
      await closes.close()
      await stays.close()
      await nginx.stop()
    }
  })

  it('replaces an X-Forwarded-For of the client, which a server with trustedProxies would believe', async () => {
    const nginx = new Nginx()
    const servers = [0, 1].map(() => new WebSocketServer({ trustedProxies: ['loopback'] }))
    const ports: number[] = []
    for (const server of servers) {
      server.route('/', {
        onUpgrade: ({ headers, clientAddress }) =>
          accept({ data: [clientAddress, headers.get('Host') ?? ''] }),
        onOpen: (socket) => void socket.sendJson(socket.data),
      })
      ports.push((await server.listen(0, '127.0.0.1')).port)
    }
    try {
      const front = await nginx.start('docs/guides/deploys.md', 'deploys.conf', ports)
      for (const forged of ['203.0.113.7', '203.0.113.7, 127.0.0.1']) {
        const headers = { 'X-Forwarded-For': forged }
        const socket = await connect(`ws://127.0.0.1:${String(front)}/`, { headers })
        expect(await socket.receive()).toBe('["127.0.0.1","127.0.0.1"]')
        socket.terminate()
      }
      expect(nginx.complaints).toBe('')
    } finally {
      for (const server of servers) server.terminate()
      await nginx.stop()
    }
  })

  it('asks a node that said 503 a moment ago, once its successor listens there and the other node closes', async () => {
    const nginx = new Nginx()
    const serve = async (name: string, port = 0): Promise<{ server: WebSocketServer; port: number }> => {
      const server = new WebSocketServer()
      server.route('/', { onOpen: (socket) => void socket.send(name) })
      return { server, port: (await server.listen(port, '127.0.0.1')).port }
    }
    const [old, other] = [await serve('old'), await serve('other')]
    const servers = [old.server, other.server]
    try {
      const front = await nginx.start('docs/guides/deploys.md', 'deploys.conf', [old.port, other.port])
      const open = async (): Promise<unknown> => (await connect(`ws://127.0.0.1:${String(front)}/`)).receive()
      const closeSlowly = (server: WebSocketServer): void => {
        void server.close({ code: 1012, spreadMs: 600_000 })
      }
      expect(new Set([await open(), await open()])).toEqual(new Set(['old', 'other']))
      closeSlowly(old.server)
      expect([await open(), await open()]).toEqual(['other', 'other'])
      await old.server.close()
      servers.push((await serve('successor', old.port)).server)
      closeSlowly(other.server)
      expect([await open(), await open(), await open()]).toEqual(['successor', 'successor', 'successor'])
    } finally {
      await Promise.all(servers.map((server) => server.close()))
      await nginx.stop()
    }
  })
})
