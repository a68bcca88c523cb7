/**
 * A program that loads Hawser by `import` and by `require`, and hands things of one to the other. It runs beside an
 * installed package (one-copy.test.ts, scripts/check-package.mjs) and prints what it tried.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as imported from 'hawser'

const require = createRequire(import.meta.url)
const required = require('hawser')

/** Every subpath: each export is the same thing, whichever way it is loaded. */
const { exports } = require('hawser/package.json')
let names = 0
for (const [subpath, entry] of Object.entries(exports)) {
  if (typeof entry === 'string') continue
  const name = subpath.replace('.', 'hawser')
  const [one, other] = [await import(name), require(name)]
  const listed = Object.keys(other).filter((key) => key !== '__esModule')
  assert.deepEqual(Object.keys(one), listed.sort())
  for (const key of listed) assert.equal(one[key], other[key], `${name}: ${key}`)
  names += listed.length
}

/** A server of one way, a client of the other, and helpers that come from where their user does not expect them. */
async function tryAcross(here, there) {
  const opened = []
  const server = new here.WebSocketServer()
  server.route('/accepted', {
    onUpgrade: () => there.accept({ data: { from: 'there' } }),
    onOpen: (socket) => {
      opened.push(socket.data.from)
      socket.send(new there.PreparedMessage('prepared'))
    },
    onTextMessage: () => there.closeWith(4001, 'by the other'),
  })
  server.route('/rejected', { onUpgrade: () => there.reject(403) })
  const { port } = await server.listen(0, '127.0.0.1')
  const url = `ws://127.0.0.1:${String(port)}`

  const socket = await there.connect(`${url}/accepted`)
  assert.deepEqual(opened, ['there'])
  assert.equal(await socket.receive(), 'prepared')
  socket.send('close me')
  const { code, reason } = await socket.closed
  assert.deepEqual({ code, reason }, { code: 4001, reason: 'by the other' })
  await assert.rejects(socket.receive(), (error) => error instanceof here.ConnectionClosedError)
  await assert.rejects(there.connect(`${url}/rejected`), (error) => {
    return error instanceof here.HandshakeError && error.response.status === 403
  })
  await server.close()
}

await tryAcross(imported, required)
await tryAcross(required, imported)
console.log(`${String(names)} exports are the same by import and by require; helpers work across`)
