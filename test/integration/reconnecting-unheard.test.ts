/** A client that reconnects and gives up does not do so in silence: something of the application hears it, or the process warns. */
import {
  connect,
  type ConnectOptions,
  type ReconnectingSocket,
  type ReconnectOptions,
} from '../../src/index.js'
import { answers, closesWith, FaultyServer, opens, type Behaviour } from '../helpers/faulty-server.js'

let warnings: string[]
const servers: FaultyServer[] = []
beforeEach(() => {
  warnings = []
  jest.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    warnings.push(`${(options as unknown as { code: string }).code} ${String(warning)}`)
  })
})
afterEach(async () => {
  jest.restoreAllMocks()
  for (const server of servers.splice(0)) await server.die()
})

const UNHEARD = 'HAWSER_GIVEN_UP a client that reconnects gave up, and no onGivenUp or onClose heard it: '

const ignore = (): void => undefined

/** Connects, and waits until the client has given up. */
async function giveUp(
  behaviours: Behaviour[],
  options: ConnectOptions,
  reconnect: ReconnectOptions = {},
  watch: (socket: ReconnectingSocket) => unknown = ignore,
): Promise<string[]> {
  const server = new FaultyServer(...behaviours)
  servers.push(server)
  const url = await server.listen()
  const socket = await connect(url, { ...options, reconnect: { minDelayMs: 1, ...reconnect } })
  watch(socket)
  for (let i = 0; i < 400 && socket.readyState !== 3; i++) await new Promise((done) => setTimeout(done, 5))
  expect(socket.readyState).toBe(3)
  return warnings
}

/** Accepts, and sends a binary message of one byte. */
const bytes = opens((socket) => socket.write(Buffer.from([0x82, 1, 0x62])))
const onlyText = (): ConnectOptions => ({ handlers: { onTextMessage: ignore } })

it('warns when a message without a handler ended it, and onError gets that', async () => {
  expect(await giveUp([bytes], onlyText())).toEqual([
    `${UNHEARD}the connection is closed (1003, this type of message is not supported)`,
  ])
  const errors: Error[] = []
  await giveUp([bytes], {
    handlers: { onTextMessage: ignore, onError: (_, error) => void errors.push(error) },
  })
  expect(errors).toMatchObject([{ name: 'InvalidMessageError', kind: 'type', closeCode: 1003 }])
})

it('warns when the server refused the next attempt, and says how', async () => {
  const heard = await giveUp([closesWith(1012), answers(401)], onlyText())
  expect(heard).toHaveLength(1)
  expect(heard[0]).toMatch(/^HAWSER_GIVEN_UP .* heard it: .*401/)
})

it('warns for a client that only sends', async () => {
  expect(await giveUp([closesWith(4000)], { incoming: 'discard' })).toHaveLength(1)
})

it.each<[string, ConnectOptions, ReconnectOptions]>([
  ['onGivenUp', onlyText(), { onGivenUp: ignore }],
  ['onClose', { handlers: { onTextMessage: ignore, onClose: ignore } }, {}],
  ['shouldReconnect', onlyText(), { shouldReconnect: () => false }],
  ['whoever reads', {}, {}],
])('does not warn when %s hears it', async (_, options, reconnect) => {
  expect(await giveUp([closesWith(4000)], options, reconnect)).toEqual([])
})

it.each<[string, (socket: ReconnectingSocket) => unknown]>([
  ['closed', (socket) => socket.closed],
  ['signal', (socket) => socket.signal],
])('does not warn when the application has asked for %s', async (_, watch) => {
  expect(await giveUp([closesWith(4000)], onlyText(), {}, watch)).toEqual([])
})

it('does not warn when the server said that it has done all', async () => {
  expect(await giveUp([closesWith(1000)], onlyText())).toEqual([])
})
