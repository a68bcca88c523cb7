/** nginx and HAProxy in front of a server of Hawser's: one port of the proxy for each of the server's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { report } from '../shared/program.mjs'

/** Each pair of ports is `{ from, to }`. */
const PROXIES = {
  nginx: {
    command: (folder) => ['nginx', '-p', folder, '-c', 'proxy.conf', '-e', 'stderr'],
    config: (pairs) => `
      daemon off;
      pid nginx.pid;
      error_log stderr warn;
      events {}
      http {
        access_log off;
        map $http_upgrade $connection_upgrade {
          default upgrade;
          '' close;
        }
        ${pairs
          .map(
            ({ from, to }) => `server {
          listen 127.0.0.1:${from};
          location / {
            proxy_pass http://127.0.0.1:${to};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
          }
        }`,
          )
          .join('\n')}
      }`,
  },
  haproxy: {
    command: (folder) => ['haproxy', '-db', '-q', '-f', path.join(folder, 'proxy.conf')],
    config: (pairs) => `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
${pairs
  .map(
    ({ from, to }) => `
frontend front${from}
  bind 127.0.0.1:${from}
  default_backend back${to}
backend back${to}
  server hawser 127.0.0.1:${to}`,
  )
  .join('\n')}
`,
  },
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

async function listens(port) {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isOpen
}

const [name, role, configs] = process.argv.slice(2)
const count = JSON.parse(configs).length
const hawser = spawn(process.execPath, ['../shared/hawser.mjs', role, configs], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const folder = mkdtempSync(path.join(tmpdir(), 'hawser-proxy-'))
let proxy
process.on('SIGTERM', () => {
  hawser.kill()
  proxy?.kill()
  rmSync(folder, { recursive: true, force: true })
  process.exit()
})

const ports = []
for await (const line of createInterface({ input: hawser.stdout })) {
  const fields = JSON.parse(line)
  if (fields.listening === undefined) {
    report(fields)
    continue
  }
  ports.push({ name: fields.listening, from: await freePort(), to: fields.port })
  if (ports.length < count) continue
  writeFileSync(path.join(folder, 'proxy.conf'), PROXIES[name].config(ports))
  const [program, ...args] = PROXIES[name].command(folder)
  proxy = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  for (const { from, name: listening } of ports) {
    while (!(await listens(from))) {
      if (proxy.exitCode !== null) throw new Error(`${name} ended`)
      await delay(20)
    }
    report({ listening, port: from })
  }
}
