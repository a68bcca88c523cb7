// slow: runs programs with flags of Node, from a package that is made of the sources
/** The flags of Node that the checklist of SECURITY.md calls safe to set, with a server and a client that use all there is. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installHawser, root } from '../helpers/doc-programs.js'

const [, line = ''] = /^- \*\*(`--disable-proto=delete.*) are safe to set\.$/m.exec(
  readFileSync(path.join(root, 'SECURITY.md'), 'utf8'),
) ?? ['', '']
const FLAGS = [...line.matchAll(/`(--[\w=-]+)`/g)].map(([, flag = '']) => flag)

const PROGRAM = `
import { connect, PreparedMessage, WebSocketServer } from 'hawser'
import { json } from 'hawser/json'
import { memoryHistory } from 'hawser/recovery'

const server = new WebSocketServer({
  perMessageDeflate: true,
  quotas: { messagesPerSecond: 1000 },
  trustedProxies: ['loopback'],
  recovery: { history: memoryHistory(), groups: ['room'] },
})
server.route('/rooms/:room', {
  codec: json(),
  onOpen: (socket) => void socket.join('room'),
  onMessage: (socket, value) => ({ ...value, room: socket.params.room }),
})
const { port } = await server.listen(0, '127.0.0.1')
const socket = await connect(\`ws://127.0.0.1:\${port}/rooms/dogs\`, { perMessageDeflate: true, recovery: {} })
socket.sendJson({ text: 'x'.repeat(100_000) })
const { text, room } = await socket.receiveJson()
console.log(text.length, room, socket.extensions.split(';')[0])
await server.group('room').publish(JSON.stringify('published'))
console.log(await socket.receiveJson())
server.broadcast(new PreparedMessage('1'))
console.log(await socket.receiveText())
await socket.close(1000)
await server.close()
`

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-flags-'))
  installHawser(directory, [])
  writeFileSync(path.join(directory, 'program.mjs'), PROGRAM)
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

it('has three flags', () => {
  expect(FLAGS).toEqual([
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
    '--frozen-intrinsics',
  ])
})

it.each([...FLAGS.map((flag) => [flag, [flag]] as const), ['all of them', FLAGS] as const])(
  'a server and a client work with %s',
  (_what, flags) => {
    const output = execFileSync(process.execPath, [...flags, '--no-warnings', 'program.mjs'], {
      cwd: directory,
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect(output.split('\n')).toEqual(['100000 dogs permessage-deflate', 'published', '1', ''])
  },
)
