// slow: starts the example, a server with an exporter
/** examples/opentelemetry as it is: real clients, and the figures as Prometheus reads them. */
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type ClientSocket } from '../../src/index.js'
import { freePort, installHawser, Program, root } from '../helpers/doc-programs.js'
import { openRaw, requestHead } from '../helpers/raw-peer.js'

let directory = ''
let program: Program
let port = 0
let metricsPort = 0

beforeAll(async () => {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'hawser-opentelemetry-')))
  installHawser(directory, [
    '@opentelemetry/api',
    '@opentelemetry/exporter-prometheus',
    '@opentelemetry/sdk-metrics',
  ])
  cpSync(path.join(root, 'examples/opentelemetry'), path.join(directory, 'opentelemetry'), {
    recursive: true,
  })
  ;[port, metricsPort] = [await freePort(), await freePort()]
  program = new Program(path.join(directory, 'opentelemetry/server.mjs'), {
    env: { PORT: String(port), METRICS_PORT: String(metricsPort) },
  })
  await program.printed(`listening on ws://127.0.0.1:${String(port)}`)
}, 60_000)

afterAll(() => {
  program.end()
  rmSync(directory, { recursive: true, force: true })
})

/** A sample: its name, and its labels without those that OpenTelemetry adds to all. */
type Labels = Readonly<Record<string, string>>

/** What Prometheus reads. @returns the sum of the samples of a metric that have these labels */
async function read(): Promise<(name: string, wanted?: Labels) => number> {
  const response = await fetch(`http://127.0.0.1:${String(metricsPort)}/metrics`)
  expect(response.status).toBe(200)
  const samples = (await response.text())
    .split('\n')
    .map((line) => /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', labels = '', value = '']) => ({
      name,
      labels: new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text])),
      value: Number(value),
    }))
  return (name, wanted = {}) =>
    samples
      .filter((one) => one.name === name)
      .filter(({ labels }) => Object.entries(wanted).every(([key, text]) => labels.get(key) === text))
      .reduce((sum, { value }) => sum + value, 0)
}

/** Reads until the figures are right: what a client has seen of a connection may be earlier than what the server has. */
async function until(isRight: (sum: (name: string, wanted?: Labels) => number) => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !isRight(await read()); tries++) await delay(20)
  expect(isRight(await read())).toBe(true)
}

const open = (target: string): Promise<ClientSocket> => connect(`ws://127.0.0.1:${String(port)}${target}`)

it('connections, upgrades, messages, bytes, closes, errors and the times of handlers are in /metrics', async () => {
  const dogs = { route: '/rooms/:room' }
  const [echo, room, other] = [await open('/echo'), await open('/rooms/dogs'), await open('/rooms/cats')]
  for (const text of ['a', 'b', 'c']) {
    echo.send(text)
    expect(await echo.receive()).toBe(text)
  }
  room.send('hello')
  expect(await room.receive()).toBe('dogs: hello')
  await expect(open('/rooms/closed')).rejects.toThrow('403')
  await expect(open('/nowhere')).rejects.toThrow('404')

  const during = await read()
  expect(during('hawser_connections')).toBe(3)
  expect(during('hawser_connections', dogs)).toBe(2)
  expect(during('hawser_upgrades_total', { ...dogs, status: '101' })).toBe(2)
  expect(during('hawser_upgrades_total', { ...dogs, status: '403' })).toBe(1)
  expect(during('hawser_upgrades_total', { status: '404', reason: 'HAWSER_NOT_FOUND' })).toBe(1)
  expect(during('hawser_upgrade_duration_count')).toBe(5)
  expect(during('hawser_messages_total', { direction: 'received' })).toBe(4)
  expect(during('hawser_messages_total', { direction: 'sent' })).toBe(4)
  // Handshakes and headers are counted as well.
  expect(during('hawser_io_total', { direction: 'received' })).toBeGreaterThan(300)
  expect(during('hawser_handler_duration_count', { route: '/echo', handler: 'onMessage' })).toBe(3)
  const ofRoom = { ...dogs, handler: 'onMessage', failed: 'false' }
  expect(during('hawser_handler_duration_count', ofRoom)).toBe(1)
  // The handler waits for 20 ms, which timers may round.
  expect(during('hawser_handler_duration_sum', ofRoom)).toBeGreaterThan(0.015)

  await echo.close(1000)
  other.send('fail')
  expect((await other.closed).code).toBe(1011)
  await room.close(4321)
  await until((sum) => sum('hawser_connections') === 0)
  const after = await read()
  expect(after('hawser_closes_total', { route: '/echo', code: '1000', clean: 'true' })).toBe(1)
  expect(after('hawser_closes_total', { ...dogs, code: '1011' })).toBe(1)
  expect(after('hawser_closes_total', { ...dogs, code: '4xxx' })).toBe(1)
  expect(after('hawser_errors_total', { ...dogs, kind: 'Error' })).toBe(1)
  expect(after('hawser_handler_duration_count', { ...dogs, handler: 'onMessage', failed: 'true' })).toBe(1)
})

it('a violation of a peer and a quota that is exceeded are in /metrics', async () => {
  const peer = await openRaw(port)
  peer.write(requestHead('/echo'))
  expect((await peer.readHead()).status).toBe(101)
  // A frame with a reserved bit.
  peer.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]))
  await until((sum) => sum('hawser_errors_total', { route: '/echo', kind: 'HAWSER_RESERVED_BITS' }) === 1)

  const flooding = await open('/echo')
  for (let i = 0; i < 300; i++) flooding.send('x')
  await until((sum) => sum('hawser_quota_excesses_total', { quota: 'messages', action: 'drop' }) > 0)
  const sum = await read()
  expect(sum('hawser_messages_total', { direction: 'dropped' })).toBe(
    sum('hawser_quota_excesses_total', { quota: 'messages' }),
  )
  await flooding.close()
})

it('the program ends when it is told to: the server and the exporter leave nothing that keeps it alive', async () => {
  program.end()
  expect((await program.ended).status).toBe(0)
})
