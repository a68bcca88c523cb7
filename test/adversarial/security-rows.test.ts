/**
 * SECURITY.md: each row of "Known attacks, and the tests", by its name, has the tests that hold it, with these titles; each promise
 * has the tests that it names; and each setting of the checklist is one.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { runInThisContext } from 'node:vm'
import { WebSocketServer, type ServerOptions } from '../../src/index.js'
import { SERVER_TLS } from '../helpers/certificates.js'

const root = path.join(__dirname, '../..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

/** For each row the tests, as a file and the title of a test or of a group in it, or the part of a title that is in all. */
const ROWS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  'A number or typed array as data sends uninitialised memory': [
    [
      'test/adversarial/connection-outbound.test.ts',
      'SECURITY.md: outbound bytes derive from the input alone',
    ],
    ['test/adversarial/frame-outbound.test.ts', 'every byte of a frame is written, whatever its size'],
  ],
  'No limit of size': [
    ['test/adversarial/connection-limits.test.ts', 'SECURITY.md: no limit of size'],
    ['test/adversarial/frame-lengths.test.ts', 'fragments that exceed the limit by one byte are refused'],
  ],
  '`__proto__` or `constructor` as a name in a header': [
    ['test/adversarial/handshake.test.ts', 'leave Object.prototype unchanged'],
    ['test/adversarial/deflate.test.ts', 'as extension, parameter or value is declined, or fails the client'],
  ],
  'Regular expressions that backtrack on headers': [
    ['test/adversarial/handshake.test.ts', 'the cost from 1 k to 32 k grows at most linearly'],
  ],
  'More headers than the HTTP parser keeps; headers missing': [
    [
      'test/adversarial/handshake.test.ts',
      '2,000 fields before or after the required ones are refused with 431',
    ],
    ['test/adversarial/handshake.test.ts', 'is refused without all of them'],
  ],
  'Tiny fragments, empty continuations, one-byte chunks': [
    [
      'test/adversarial/frame-memory.test.ts',
      'a million one-byte fragments hold at most four times their bytes',
    ],
    ['test/adversarial/frame-memory.test.ts', 'a million empty continuation fragments cost no memory'],
    ['test/adversarial/frame-cost.test.ts', 'with one-byte fragments in one-byte chunks'],
  ],
  'Counters against those that cut honest connections': [
    [
      'test/adversarial/frame-cost.test.ts',
      'a message of 100,000 fragments is accepted, whole and byte by byte',
    ],
    ['test/adversarial/connection-limits.test.ts', 'an honest message of 100,000 fragments is accepted'],
  ],
  'Inflate bombs': [
    [
      'test/adversarial/deflate.test.ts',
      'a message of 1000 : 1 is stopped at the limit, synchronously and on the thread pool',
    ],
    ['test/adversarial/deflate.test.ts', 'repeated bombs are stopped, also between honest messages'],
    ['test/adversarial/connection-limits.test.ts', 'a bomb is refused, in one frame and in fragments'],
  ],
  '64-bit lengths': [['test/adversarial/frame-lengths.test.ts', 'SECURITY.md: 64-bit lengths']],
  'Window bits out of range, parameters that break the offer': [
    ['test/unit/deflate/negotiation.test.ts', 'an offer that is passed over (7.1)'],
    [
      'test/property/deflate-negotiation.test.ts',
      'no offer throws, and an answer fits the offer that it accepts',
    ],
  ],
  'A server that grants less than the client demanded': [
    ['test/unit/deflate/negotiation.test.ts', 'to an offer of %j is taken'],
    ['test/unit/deflate/negotiation.test.ts', 'to an offer of %j fails under strictNegotiation'],
  ],
  'An answer with a larger window than the client offered': [
    ['test/unit/deflate/negotiation.test.ts', 'client_max_window_bits (7.1.2.2)'],
  ],
  'An extension or a subprotocol that was never offered': [
    [
      'test/adversarial/client-hostile.test.ts',
      'rejects when an answer without permessage-deflate in the offer accepts it',
    ],
    ['test/unit/handshake/client-handshake.test.ts', 'refuses any choice if nothing was offered'],
  ],
  'Valid handshakes that are refused': [
    ['test/adversarial/handshake.test.ts', 'are accepted with the header upgrade: WebSocket'],
    ['test/adversarial/server-hostile.test.ts', 'accepts unusual and valid heads'],
  ],
  'A long head parsed again for every byte': [
    ['test/adversarial/handshake.test.ts', 'of a head byte by byte: %s'],
  ],
  'Memory for the announced length': [
    ['test/adversarial/frame-memory.test.ts', '100 MB announced and no byte sent costs no memory: %s'],
  ],
  'Weak random masks': [['test/adversarial/frame-outbound.test.ts', 'SECURITY.md: weak random masks']],
  'Forms of the request target': [
    ['test/adversarial/handshake.test.ts', 'the forms of the request target'],
    ['test/unit/handshake/request-target.test.ts', 'RFC 9112 3.2: request targets'],
  ],
  'Requests smuggled in, headers split': [
    ['test/adversarial/handshake.test.ts', 'smuggled requests'],
    ['test/unit/handshake/caller-headers.test.ts', 'are refused if they are malformed: %j'],
  ],
  'No listener for errors; a reset at any stage': [
    ['test/adversarial/server-hostile.test.ts', 'survives every attack without a listener for errors'],
    ['test/adversarial/server-hostile.test.ts', 'a reset, a FIN or both, at every stage'],
    ['test/adversarial/client-hostile.test.ts', 'survives every attack without a listener for errors'],
    ['test/adversarial/client-hostile.test.ts', 'a reset or a FIN at every stage'],
  ],
  'Credentials kept across a redirect to another origin': [
    [
      'test/integration/client-redirects.test.ts',
      'to another origin leaves the credentials behind, also when it leads back',
    ],
    [
      'test/integration/client-redirects.test.ts',
      'from ws to wss is followed, and from wss to ws is refused',
    ],
  ],
  'The time of a comparison tells a secret': [
    ['test/adversarial/secrets.test.ts', 'compare secrets in the same time for each'],
  ],
  'Closed while a decompression runs: leaks': [
    ['test/adversarial/connection-work.test.ts', 'contexts, handles and memory return to their start values'],
    [
      'test/unit/deflate/jobs.test.ts',
      'a job that runs keeps its place when it is cancelled, until its work has ended',
    ],
  ],
  'Ping floods, and peers that ping and do not read': [
    ['test/adversarial/connection-output.test.ts', 'SECURITY.md: ping floods'],
  ],
  'Floods of messages, fragments, pings and handshakes, and of addresses': [
    [
      'test/integration/quotas.test.ts',
      "a thousand messages in one chunk above a quota close the connection with 1008, and no other client's",
    ],
    ['test/integration/quotas.test.ts', 'fragments of a message that never ends exceed a quota of bytes'],
    ['test/integration/quotas.test.ts', 'pings above a quota close the connection with 1008'],
    [
      'test/integration/handshake-quotas.test.ts',
      'a handshake above the quota of all gets 503 with Retry-After, before onUpgrade, and is counted',
    ],
    ['test/integration/handshake-quotas.test.ts', 'counts for its client, and is refused above the quota'],
    [
      'test/unit/server/handshake-quotas.test.ts',
      'stays within its bound in a flood from a million addresses, and still holds those that go on',
    ],
  ],
  'A forged `X-Forwarded-For` or `Forwarded`, or one that hides the client': [
    [
      'test/unit/server/trusted-proxies.test.ts',
      'comes from all fields of the name together, of which the last entry is the nearest',
    ],
    ['test/integration/handshake-quotas.test.ts', 'without trusted proxies nobody is believed'],
    [
      'test/unit/server/trusted-proxies.test.ts',
      'is what the proxy appended to a Forwarded of the client that is malformed',
    ],
    [
      'test/unit/handshake/forwarded.test.ts',
      'reads what a proxy appended, whatever the client wrote before it',
    ],
  ],
  'Peers that do not read: memory and cost of what waits': [
    [
      'test/adversarial/connection-output.test.ts',
      'memory of waiting output follows its bytes, not the number of sends',
    ],
    [
      'test/unit/connection/write-queue.test.ts',
      'has few buffers that grow with the waiting bytes, at most three times too large',
    ],
  ],
  "One connection's bytes in another's frames or messages (shared memory)": [
    [
      'test/property/connection-write-queue.test.ts',
      'each queue gives its own frames in order and unchanged, in any interleaving',
    ],
    [
      'test/unit/deflate/incoming-context.test.ts',
      'give no byte of another connection away after a message that ends in a final block',
    ],
  ],
  'Invalid UTF-8, in any pieces': [
    ['test/property/frame-utf8.test.ts', 'fails in the piece with the first bad byte, for any split'],
    [
      'test/unit/frame/utf8.test.ts',
      'RFC 6455 8.1: failing at the first byte after which nothing valid can follow',
    ],
  ],
  'Bytes cut so that two readers see different things': [
    ['test/property/frame-parser.test.ts', 'give the frames that the model finds in the whole'],
    [
      'test/property/connection-bytes.test.ts',
      'any split of a stream gives the same events and the same output',
    ],
    ['test/property/handshake.test.ts', 'a head in any chunks'],
  ],
  'Any bytes at all': [
    [
      'test/property/frame-parser.test.ts',
      'the parser has failed for good, or parses the next frames as a new parser does',
    ],
    [
      'test/property/connection-bytes.test.ts',
      'any bytes give at most one error, at most one Close frame, then closed and nothing more',
    ],
    ['test/property/connection-model.test.ts', 'RFC 6455 5 to 7: two connections joined in memory'],
    ['test/fuzz/planted-faults.test.ts', 'a fault that is planted'],
  ],
  'Messages lost between the handshake and the first listener': [
    [
      'test/integration/client-connect.test.ts',
      'a message in the same segment as the 101 reaches readers and handlers',
    ],
    ['test/integration/server-open.test.ts', 'may pause and resume without loss'],
  ],
  'Close codes that must not be sent or taken; both sides closing at once': [
    ['test/adversarial/connection-closing.test.ts', 'a %s takes or refuses every close code of its peer'],
    ['test/adversarial/connection-closing.test.ts', 'closing from both sides at once is clean on both'],
  ],
  'Memory of many compressed connections': [
    ['test/adversarial/deflate.test.ts', '10,000 codecs that each sent one message hold no memory'],
    ['test/unit/deflate/contexts.test.ts', 'the pool of contexts'],
  ],
  'Slow handshakes, answers that never end': [
    [
      'test/integration/client-connect.test.ts',
      'handshakeTimeoutMs ends the handshake with a peer that sends a byte now and then',
    ],
    ['test/adversarial/server-hostile.test.ts', 'refuses an endless head before its end'],
  ],
  'Pages of other origins': [['test/unit/handshake/origin.test.ts', 'origins (RFC 6455 section 10.2)']],
}

const page = read('SECURITY.md')

/** A section of the page: from its heading to the next of the same level. */
function sectionOf(heading: string): string {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  return section.split(/^## /m)[0] ?? ''
}

/** The rows of the table: the attack, and the files of its tests. */
const table = sectionOf('Known attacks, and the tests')
  .split('\n')
  .filter((line) => line.startsWith('|') && line.includes('`test/'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(
    ([, attack = '', , files = '']) => [attack, files.split(', ').map((file) => file.slice(1, -1))] as const,
  )

/** The promises: the first words of each, and the tests that it names. */
const promises = sectionOf('What Hawser promises')
  .split(/^- /m)
  .slice(1)
  .map((text) => text.split(/\n\n/)[0] ?? '')
  .map((text) => text.replaceAll(/\s+/g, ' ').trim())
  .map((text) => {
    const tests = [...text.matchAll(/`(test\/[\w./-]+)`: "([^"]+)"/g)]
    return [text.split(' (`test/')[0] ?? '', tests.map(([, file = '', title = '']) => [file, title])] as const
  })

/** The settings of the checklist. */
const settings = sectionOf('A checklist for operators')
  .split('\n')
  .map((line) => /^\| \*\*.*\| `(.*)` +\|$/.exec(line)?.[1])
  .filter((setting) => setting !== undefined)

const optionsOf = (setting: string): ServerOptions =>
  (runInThisContext(`({ key, cert }) => ({ ${setting} })`) as (tls: typeof SERVER_TLS) => ServerOptions)(
    SERVER_TLS,
  )

/** The titles of a file, as they are written: between quotation marks, after `it`, `test` or `describe`. */
function titlesOf(file: string): string[] {
  const found = read(file).matchAll(/(['"`])((?:(?!\1)[^\n\\]|\\.)+)\1,\s*(?:async )?\(/g)
  return [...found].map(([, , title = '']) => title)
}

const expectTitle = (file: string, title: string): void => {
  expect([file, titlesOf(file).filter((one) => one.includes(title))]).toEqual([
    file,
    expect.arrayContaining([expect.stringContaining(title)]),
  ])
}

describe('the table of attacks in SECURITY.md', () => {
  test('has the rows that stand here, in any order', () => {
    expect(table.map(([attack]) => attack).sort()).toEqual(Object.keys(ROWS).sort())
  })

  test.each(table)('%s', (attack, files) => {
    const tests = ROWS[attack] ?? []
    expect([...new Set(tests.map(([file]) => file))].sort()).toEqual([...files].sort())
    for (const [file, title] of tests) expectTitle(file, title)
  })
})

describe('the promises in SECURITY.md', () => {
  test('are there', () => {
    expect(promises.length).toBeGreaterThan(20)
  })

  test.each(promises)('are held by tests: %s', (_promise, tests) => {
    expect(tests.length).toBeGreaterThan(0)
    for (const [file = '', title = ''] of tests) expectTitle(file, title)
  })
})

describe('the checklist in SECURITY.md', () => {
  test('has a setting in each row', () => {
    const rows = sectionOf('A checklist for operators')
      .split('\n')
      .filter((line) => line.startsWith('| **'))
    expect(rows.length).toBeGreaterThan(10)
    expect(settings).toHaveLength(rows.length)
  })

  test.each(settings)('has a setting that a server takes: %s', (setting) => {
    const options = optionsOf(setting)
    expect(() => new WebSocketServer(options)).not.toThrow()
    // A name that is not an option throws.
    expect(() => new WebSocketServer({ ...options, ...{ nonsense: 1 } })).toThrow('nonsense')
  })

  test('has settings that a server takes all together, and says what becomes of those of one option', () => {
    const all = settings
      .map(optionsOf)
      .reduce((sum, options) => ({ ...sum, ...options, limits: { ...sum.limits, ...options.limits } }))
    expect(() => new WebSocketServer(all)).not.toThrow()
    const [, joined = ''] = /one: `(limits: \{.*\})`/.exec(sectionOf('A checklist for operators')) ?? []
    expect(optionsOf(joined).limits).toEqual(all.limits)
  })
})
