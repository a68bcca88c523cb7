/** Who is measured: how each server and client is started, and in which version. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

/** Something that this machine does not have: the row says so, and no floor counts. */
export class AbsentError extends Error {
  isAbsent = true
}

const BUN = here('node_modules/@oven/bun-linux-x64/bin/bun')
const DENO = here('node_modules/@deno/linux-x64-glibc/deno')
const NODE = { command: process.execPath, args: ['--expose-gc'] }

const CONTENDERS = {
  hawser: { ...NODE, server: 'hawser', client: 'hawser', package: '..' },
  ws: { ...NODE, server: 'ws', client: 'ws', package: 'node_modules/ws' },
  'ws-plain': { ...NODE, server: 'ws', package: 'node_modules/ws', env: { WS_NO_BUFFER_UTIL: '1' } },
  websocket: { ...NODE, server: 'websocket', package: 'node_modules/websocket' },
  'faye-websocket': { ...NODE, server: 'faye-websocket', package: 'node_modules/faye-websocket' },
  net: { ...NODE, server: 'net', isRaw: true },
  bun: {
    command: BUN,
    args: [],
    server: 'bun',
    client: 'whatwg',
    package: 'node_modules/@oven/bun-linux-x64',
  },
  deno: {
    command: DENO,
    args: ['run', '-A', '--v8-flags=--expose-gc'],
    server: 'deno',
    package: 'node_modules/@deno/linux-x64-glibc',
  },
  undici: { ...NODE, client: 'undici', package: 'node_modules/undici' },
  node: { ...NODE, client: 'whatwg', isAbsent: typeof globalThis.WebSocket !== 'function' },
}

export const CONTENDER_NAMES = Object.keys(CONTENDERS)

/** @returns a contender by name, with `absent`: why it cannot run here, or null */
export function findContender(name) {
  const contender = CONTENDERS[name]
  const absent = contender.isAbsent
    ? `Node ${process.version} has no WebSocket`
    : !existsSync(contender.command)
      ? 'its binary is not installed'
      : null
  return { name, env: {}, isRaw: false, ...contender, absent }
}

/** @returns the versions of the packages, by contender */
export function readVersions(names) {
  const versions = {}
  for (const name of names) {
    const { package: folder } = findContender(name)
    const file = folder === undefined ? null : here(`${folder}/package.json`)
    if (file !== null && existsSync(file)) versions[name] = JSON.parse(readFileSync(file, 'utf8')).version
    else if (name === 'node' || name === 'net') versions[name] = process.version
  }
  return versions
}
