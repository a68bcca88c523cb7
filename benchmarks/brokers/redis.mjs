/** A redis-server of one measurement, without persistence, and what it counts. */
import { createServer } from 'node:net'
import { createClient } from 'redis'
import { startLines } from '../lib/processes.mjs'

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** The commands of who looks, and of clients that connect. */
const NOT_COUNTED = new Set(['info', 'hello', 'client', 'ping', 'config'])

function readInfo(text) {
  return Object.fromEntries(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => line.split(/:(.*)/s, 2)),
  )
}

/** @returns `url`, `pid`, `count` (what it has done so far), `stop` */
export async function startRedis() {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = startLines(0, 'redis-server', args, { isPinned: false })
  while (!(await server.nextLine()).includes('Ready to accept connections'));
  const url = `redis://127.0.0.1:${port}`
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()

  /** Both directions, in bytes, without what this call itself takes. */
  async function countBytes() {
    const [before, after] = [readInfo(await client.info('stats')), readInfo(await client.info('stats'))]
    const [taken, given] = ['total_net_input_bytes', 'total_net_output_bytes'].map((name) => ({
      at: Number(after[name]),
      own: Number(after[name]) - Number(before[name]),
    }))
    return { bytesIn: taken.at, bytesOut: given.at, ownIn: taken.own, ownOut: given.own }
  }

  async function count() {
    const stats = readInfo(await client.info('commandstats'))
    const commands = {}
    for (const [name, text] of Object.entries(stats)) {
      const command = name.replace('cmdstat_', '')
      if (!NOT_COUNTED.has(command.split('|')[0])) commands[command] = Number(/calls=(\d+)/.exec(text)[1])
    }
    return { commands, ...(await countBytes()) }
  }

  const stop = async () => {
    client.destroy()
    await server.stop()
  }
  return { url, pid: server.child.pid, count, stop }
}
