// slow: compiles a program with the declarations of the clients of NATS
/** `hawser/nats` takes the connections and buckets of both clients as their own declarations have them, without a cast. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findTypeErrors, root } from '../helpers/doc-programs.js'

const PROGRAM = `
import { connect } from '@nats-io/transport-node'
import { Kvm } from '@nats-io/kv'
import { connect as connect2 } from 'nats'
import { WebSocketServer } from 'hawser'
import { jetStreamHistory, natsBackplane, type JetStreamHistoryOptions, type NatsBackplaneOptions } from 'hawser/nats'

const servers = 'nats://localhost:4222'
export const server = new WebSocketServer({ backplane: natsBackplane(() => connect({ servers })) })
natsBackplane(connect)
natsBackplane(await connect({ servers }))
natsBackplane(() => connect({ servers }), {
  names: (connection) => new Kvm(connection).create('names', { ttl: 15_000 }),
})
natsBackplane(await connect({ servers }), {
  names: async (connection) => new Kvm(connection).open('names'),
})
natsBackplane(connect2)
natsBackplane(await connect2({ servers }))
natsBackplane(() => connect2({ servers }), {
  prefix: 'app',
  names: (connection) => connection.jetstream().views.kv('names', { ttl: 15_000 }),
})
const options: NatsBackplaneOptions = { prefix: 'app' }
natsBackplane(connect, options)

for (const connection of [await connect({ servers }), await connect2({ servers })]) {
  const history = jetStreamHistory({ connection, replicas: 3, storage: 'memory', prefix: 'app' })
  new WebSocketServer({ recovery: { history, groups: ['room:*'] } })
}
const historyOptions: JetStreamHistoryOptions = { connection: await connect2({ servers }) }
jetStreamHistory(historyOptions)
`

/** Each is an error. */
const WRONG = [
  'natsBackplane(servers)',
  'natsBackplane({ servers })',
  'natsBackplane(connect({ servers }))',
  'natsBackplane(() => servers)',
  "natsBackplane(connect, { names: 'names' })",
  "natsBackplane(connect, { names: () => 'names' })",
  'jetStreamHistory()',
  'jetStreamHistory({})',
  'jetStreamHistory({ connection: servers })',
  'jetStreamHistory({ connection: connect({ servers }) })',
  'jetStreamHistory({ connection: () => connect2({ servers }) })',
  "jetStreamHistory({ ...historyOptions, storage: 'disk' })",
]

it('their own types fit, and what is wrong does not compile', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'hawser-nats-types-'))
  try {
    symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'), 'junction')
    const right = path.join(directory, 'right.mts')
    const wrong = path.join(directory, 'wrong.mts')
    writeFileSync(right, PROGRAM)
    writeFileSync(wrong, PROGRAM + WRONG.map((line) => `// @ts-expect-error\n${line}\n`).join(''))
    expect(findTypeErrors([right, wrong], directory)).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
