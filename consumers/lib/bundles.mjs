/** What each bundle is made of, and what it has to do: send back whatever it gets, from 0 bytes to 1 MiB. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { bytesOf, digest, echoRate, textOf, within } from './tools.mjs'

const SIZES = [
  0, 1, 2, 7, 8, 31, 32, 33, 47, 48, 125, 126, 127, 1_023, 4_096, 65_535, 65_536, 65_537, 262_144, 1_048_576,
]

/** The program that is bundled: a server that echoes, and its client. It has no other module than `ws` and those of Node. */
const BODY = `
export async function open(options) {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await new Promise((resolve) => wss.once('listening', resolve))
  wss.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const client = new WebSocket('ws://127.0.0.1:' + wss.address().port, options)
  client.binaryType = 'nodebuffer'
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject))
  return {
    client,
    close: async () => {
      const ended = new Promise((resolve) => client.once('close', (code) => resolve(code)))
      client.close(1000)
      const code = await ended
      await new Promise((resolve) => wss.close(resolve))
      return code
    },
  }
}
`
const HEADS = {
  esm: `import WebSocket, { WebSocketServer } from 'ws'\n`,
  cjs: `const WebSocket = require('ws')\nconst { WebSocketServer } = WebSocket\n`,
}

/** A fresh folder for a bundle, beside the programs, so that `ws` is found from there. */
export function makeFolder(name) {
  const folder = path.resolve('bundles', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** @param {'esm' | 'cjs'} face how the program takes ws @returns the file to begin with */
export function writeEntry(folder, face) {
  const file = path.join(folder, face === 'esm' ? 'entry.mjs' : 'entry.cjs')
  const body =
    face === 'esm' ? BODY : BODY.replace('export async function open', 'exports.open = async function open')
  writeFileSync(file, HEADS[face] + body)
  return file
}

const PAYLOADS = SIZES.flatMap((size) => [textOf(size), bytesOf(size)])

/** One after another: each size in both kinds. */
async function echoAll({ client }) {
  const answers = []
  for (const payload of PAYLOADS) {
    const answer = new Promise((resolve) =>
      client.once('message', (data, isBinary) => resolve({ data, isBinary })),
    )
    client.send(payload)
    const { data, isBinary } = await within(answer, `the echo of ${String(payload.length)} bytes`, 5_000)
    answers.push(`${isBinary ? 'binary' : 'text'} ${digest(data)}`)
  }
  return answers
}

/** Loads the bundle, and asks of it what the program has to do. */
export async function tryBundle(file, { figure, files = [file] }) {
  const loaded = file.endsWith('.cjs')
    ? createRequire(import.meta.url)(file)
    : await import(pathToFileURL(file).href)
  const { open } = 'open' in loaded ? loaded : loaded.default
  const result = {}
  for (const [name, options] of Object.entries({
    plain: { perMessageDeflate: false },
    deflated: { perMessageDeflate: { threshold: 0 } },
  })) {
    const pair = await open(options)
    result[name] = { extensions: pair.client.extensions, echoes: await echoAll(pair) }
    if (name === 'plain' && figure !== undefined) {
      const { client } = pair
      figure(
        'echoes a second',
        await echoRate({
          send: () => client.send('a short text'),
          onAnswer: (answered) => client.on('message', answered),
        }),
      )
    }
    result[name].code = await pair.close()
  }
  if (figure !== undefined) {
    const bytes = files.reduce((sum, name) => sum + statSync(name).size, 0)
    figure('KB of bundle', Math.round(bytes / 1024))
  }
  return result
}
