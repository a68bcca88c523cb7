/** Who is measured: how each server and client is started, and in which version. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NODES } from './nodes.mjs'

export const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

/** Something that this machine does not have: the row says so, and no floor counts. */
export class AbsentError extends Error {
  isAbsent = true
}

const BUN = here('node_modules/@oven/bun-linux-x64/bin/bun')
const DENO = here('node_modules/@deno/linux-x64-glibc/deno')
const NODE = { isNode: true, args: ['--expose-gc'] }

const CONTENDERS = {
  hawser: { ...NODE, server: 'hawser', client: 'hawser', package: '..' },
  // Hawser again: its handler returns the reply, where that above calls `send`.
  'hawser-return': { ...NODE, server: 'hawser', flags: ['--return'], package: '..' },
  // The drop-in for ws, by the program of ws.
  'hawser-ws': { ...NODE, server: 'hawser-ws', package: '../packages/ws' },
  // One process, and two, behind one port.
  'hawser-1': { ...NODE, server: 'hawser-cores', flags: ['--processes=1'], package: '..' },
  'hawser-2': { ...NODE, server: 'hawser-cores', flags: ['--processes=2'], package: '..' },
  ws: { ...NODE, server: 'ws', client: 'ws', package: 'node_modules/ws' },
  'ws-plain': {
    ...NODE,
    server: 'ws',
    package: 'node_modules/ws',
    env: { WS_NO_BUFFER_UTIL: '1', WS_NO_UTF_8_VALIDATE: '1' },
  },
  websocket: { ...NODE, server: 'websocket', package: 'node_modules/websocket' },
  'faye-websocket': { ...NODE, server: 'faye-websocket', package: 'node_modules/faye-websocket' },
  net: { ...NODE, server: 'net', isRaw: true },
  handle: { ...NODE, server: 'handle', isRaw: true },
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
  node: { ...NODE, client: 'whatwg', needsNode: 22 },
}

/** Those that can be chosen: of one row there is no choice. */
export const CONTENDER_NAMES = Object.keys(CONTENDERS).filter((name) => !/^hawser-\d$/.test(name))

/** Whether it runs in Node, and so can run in each of {@link NODES}. */
export const runsInNode = (name) => CONTENDERS[name].isNode === true

function whyAbsent({ isNode, needsNode = 0, command }, node) {
  if (!isNode) return existsSync(command) ? null : 'its binary is not installed'
  if (node.absent !== null) return node.absent
  return Number(/\d+/.exec(node.version)[0]) < needsNode ? `Node ${node.version} has no WebSocket` : null
}

/**
 * @param node one of {@link NODES}, by name: what runs it, if Node does
 * @returns a contender by name, with `absent`: why it cannot run here, or null
 */
export function findContender(name, node = 'this') {
  const contender = CONTENDERS[name]
  const absent = whyAbsent(contender, NODES[node])
  const command = contender.isNode ? NODES[node].command : contender.command
  return { name, env: {}, flags: [], isRaw: false, ...contender, command, absent }
}

/** @returns the versions of the packages, by contender */
export function readVersions(names) {
  const versions = {}
  for (const name of names) {
    const { package: folder } = findContender(name)
    const file = folder === undefined ? null : here(`${folder}/package.json`)
    if (file !== null && existsSync(file)) versions[name] = JSON.parse(readFileSync(file, 'utf8')).version
  }
  return versions
}
