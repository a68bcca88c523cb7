// slow: compiles the load generator, and starts processes
/** The load generator, the one that a run takes (C, where there is a compiler) and the one in JavaScript, with TLS and without: against a server, and what it checks of a reply. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer, type ServerOptions } from '../../../src/index.js'
import { SERVER_TLS } from '../../helpers/certificates.js'

/** More than a socket takes at once. */
const BYTES = 3_000_000
const TEXT = 'x'.repeat(BYTES)

let dir: string
let server: WebSocketServer

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hawser-test-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})
afterEach(async () => {
  await server.close({ timeoutMs: 100 })
})

const listen = async (answer: string | null, options: ServerOptions): Promise<number> => {
  server = new WebSocketServer({ ...options, perMessageDeflate: false, limits: { maxMessageBytes: BYTES } })
  server.route('/', { onMessage: (_socket, message) => answer ?? message })
  const { port } = await server.listen(0, '127.0.0.1')
  return port
}

const SUBJECT = `
  const [folder, name, args, workload] = JSON.parse(process.argv[1])
  const { pathToFileURL } = await import('node:url')
  const load = (file) => import(pathToFileURL(folder + file).href)
  const { findLoader, run } = await load('lib/processes.mjs')
  const { checkReply, writeBatches } = await load('lib/frames.mjs')
  const { readFileSync } = await import('node:fs')
  const loader = findLoader()
  const file = args.find((each) => each.startsWith('file='))?.slice('file='.length)
  const dump = args.find((each) => each.startsWith('dump='))?.slice('dump='.length)
  const payloads = file === undefined ? [] : writeBatches(file, workload)
  const js = { command: process.execPath, args: [folder + 'load/load.mjs'] }
  const { command, args: first } = name === 'that a run takes' ? (args.includes('tls=1') ? loader.forTls : loader) : js
  try {
    const text = await run(1, command, [...first, ...args], { isPinned: false })
    checkReply(readFileSync(dump), payloads, { masked: false })
    console.log(JSON.stringify({ ...JSON.parse(text), loader: [loader.name, loader.forTls.name] }))
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }))
  }
`

interface Figures {
  readonly error?: string
  readonly count: number
  readonly perSecond: number
  readonly p50: number
  readonly replyBytes: number
  readonly loader: readonly [plain: string, forTls: string]
}

const load = (name: string, args: readonly string[]): Promise<Figures> => {
  const folder = `${join(__dirname, '../../../benchmarks')}/`
  const workload = { bytes: BYTES, inFlight: 2, type: 'binary' }
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ['--input-type=module', '--eval', SUBJECT, JSON.stringify([folder, name, args, workload])],
      (error, stdout, stderr) => {
        if (error === null) resolve(JSON.parse(stdout) as Figures)
        else reject(new Error(stderr, { cause: error }))
      },
    )
  })
}

const argumentsFor = (port: number, isTls: boolean): readonly string[] => [
  'mode=echo',
  `port=${String(port)}`,
  'connections=3',
  `reply=${String(BYTES)}`,
  `file=${join(dir, 'batches')}`,
  `dump=${join(dir, 'reply')}`,
  'seconds=0.5',
  'warmup=0.1',
  ...(isTls ? ['tls=1'] : []),
]

const answerOf = (command: string, args: readonly string[]): string => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout : ''
}

describe.each(['that a run takes', 'in JavaScript'])('the load generator %s', (name) => {
  test.each([
    ['without TLS', {}],
    ['over TLS', { tls: SERVER_TLS }],
  ])('%s sends messages of many records, counts each reply, and keeps the first', async (_how, options) => {
    const port = await listen(null, options)
    const figures = await load(name, argumentsFor(port, 'tls' in options))
    expect(figures.error).toBeUndefined()
    expect(figures.count).toBeGreaterThan(2)
    if (process.platform === 'linux' && answerOf('cc', ['--version']) !== '') {
      expect(figures.loader).toEqual([
        'C',
        answerOf('ldconfig', ['-p']).includes('libssl.so.3') ? 'C' : expect.any(String),
      ])
    }
    expect(figures.perSecond).toBeGreaterThan(0)
    expect(figures.p50).toBeGreaterThan(0)
    // The header of a reply counts in one of them; a reply may have begun before the measurement.
    expect(figures.replyBytes / figures.count).toBeGreaterThan(BYTES * 0.5)
    expect(readFileSync(join(dir, 'reply')).length).toBeGreaterThan(BYTES)
  })

  test.each([
    ['without TLS', {}],
    ['over TLS', { tls: SERVER_TLS }],
  ])('%s ends with an error where a reply has another length', async (_how, options) => {
    const port = await listen(TEXT.slice(1), options)
    const { error } = await load(name, argumentsFor(port, 'tls' in options))
    expect(error).toBe('load: a reply of the wrong length')
  })
})
