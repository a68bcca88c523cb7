/** A nats-server of one measurement, and what it counts: messages and the bytes of their payloads, by its monitor. */
import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { scratch, startLines } from '../lib/processes.mjs'
import { freePort } from './redis.mjs'

/** @returns `url`, `pid`, `count` (what it has done so far), `stop` */
export async function startNats() {
  const [port, monitor] = [await freePort(), await freePort()]
  const folder = mkdtempSync(path.join(scratch, 'nats-'))
  const args = ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitor), '-l', path.join(folder, 'log')]
  const server = startLines(0, 'nats-server', args, { isPinned: false })
  const ask = async () => (await fetch(`http://127.0.0.1:${monitor}/varz`)).json()
  while ((await ask().catch(() => null)) === null) {
    if (server.child.exitCode !== null) throw new Error('nats-server ended while it started')
    await sleep(10)
  }
  async function count() {
    const { in_msgs: messages, in_bytes: bytesIn, out_bytes: bytesOut } = await ask()
    return { commands: { PUB: messages }, bytesIn, bytesOut, ownIn: 0, ownOut: 0 }
  }
  return { url: `nats://127.0.0.1:${port}`, pid: server.child.pid, count, stop: server.stop }
}
