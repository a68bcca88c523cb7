/** No type of options goes without checks: each is in the table of test/helpers/option-calls.ts, or in the list below. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { OPTION_CALLS } from '../helpers/option-calls.js'

const src = path.join(__dirname, '../../src')

/** Types that no public function takes as an argument of its own. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ['TimeoutOptions', 'a part of ServerOptions and ConnectOptions'],
  ['SharedOptions', 'a part of ServerOptions and ConnectOptions'],
  [
    'ProxyOptions',
    'the option proxy of connect, which may be a string: its cases are those of ConnectOptions',
  ],
  ['NetOptions', 'made by the client of ConnectOptions'],
  ['DriverOptions', 'made by server and client'],
  ['LocalNodeOptions', 'made by the server'],
  ['WebSocketStreamOptions', 'a dictionary of Web IDL, which may be null: its cases are in test/whatwg'],
  ['LinkOptions', 'made by WebSocket and WebSocketStream'],
  ['HandshakeErrorOptions', 'made by Hawser'],
  ['RedisHistoryOptions', 'of a history over a broker: its cases are in test/unit/brokers'],
  ['JetStreamHistoryOptions', 'of a history over a broker: its cases are in test/unit/brokers'],
  ['BrokerHistoryOptions', 'a part of RedisHistoryOptions and JetStreamHistoryOptions'],
  ['RedisBackplaneOptions', 'of a backplane over a broker: its cases are in test/unit/brokers'],
  ['NatsBackplaneOptions', 'of a backplane over a broker: its cases are in test/unit/brokers'],
  ['NatsSessionOptions', 'made by natsBackplane'],
  ['BrokerOptions', 'a part of RedisBackplaneOptions and NatsBackplaneOptions'],
  [
    'ClientRecoveryOptions',
    'the option recovery of connect, which may be true: its cases are in test/integration',
  ],
  ['BrokerOptions', 'a part of RedisBackplaneOptions'],
  ['ExpressRouteOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['FastifyWebSocketsOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['AttachOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['CrosswsAdapterOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['CrosswsPluginOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['CrosswsSendOptions', 'of an adapter, as crossws has it: its cases are in test/integration/adapters'],
  ['CrosswsPublishOptions', 'of an adapter, as crossws has it: its cases are in test/integration/adapters'],
  ['CrosswsDrainOptions', 'of an adapter, as crossws has it: its cases are in test/integration/adapters'],
  ['HonoSendOptions', 'of an adapter: its cases are in test/integration/adapters'],
  ['NestGatewayOptions', 'of an adapter: its cases are in test/integration/adapters'],
])

/** The interfaces and aliases that a file declares and exports, by their names. */
function exportedTypes(file: string): readonly string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022)
  return source.statements
    .filter((one) => ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one))
    .filter((one) => one.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .map((one) => one.name.text)
}

describe('the types of options', () => {
  const declared = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => exportedTypes(path.join(src, file)))
    .filter((name) => name.endsWith('Options') && !name.startsWith('Resolved'))

  it('are each taken by a function whose checks are tested', () => {
    expect(declared.length).toBeGreaterThan(15)
    const tested = new Set(OPTION_CALLS.map(({ type }) => type))
    expect(declared.filter((name) => !tested.has(name) && !OTHERS.has(name))).toEqual([])
  })

  it('are listed as exceptions only while they exist', () => {
    expect([...OTHERS.keys()].filter((name) => !declared.includes(name))).toEqual([])
  })
})
