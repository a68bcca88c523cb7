/** What `npm run interop` makes of a case, and of the frames that it looks at on the wire. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('interop/lib')
const root = path.join(__dirname, '../../..')
const peersFolder = path.join(root, 'interop/peers')

interface Expectation {
  readonly na?: string
  readonly differs?: string
  readonly because?: string
}

interface Peer {
  readonly name: string
  readonly title?: string
  readonly version?: string
  readonly versionCommand?: readonly string[]
  readonly roles: readonly string[]
  readonly expect?: Readonly<Record<string, Readonly<Record<string, Expectation>>>>
}

const manifests = readdirSync(peersFolder)
  .filter((folder) => existsSync(path.join(peersFolder, folder, 'peer.json')))
  .map((folder) => ({
    folder,
    peers: (
      JSON.parse(readFileSync(path.join(peersFolder, folder, 'peer.json'), 'utf8')) as { peers: Peer[] }
    ).peers,
  }))
const peers = manifests.flatMap((manifest) => manifest.peers)

describe('a manifest', () => {
  test.each(manifests)('$folder: pins the versions that it names', ({ folder, peers: ofFolder }) => {
    const names = ['package-lock.json', 'requirements.txt', 'go.mod', 'Cargo.lock', 'pom.xml']
    const pins = names
      .map((name) => path.join(peersFolder, folder, name))
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
    for (const { version, versionCommand } of ofFolder) {
      if (version === undefined) expect(versionCommand).toBeDefined()
      else expect(pins).toContain(version)
    }
  })

  test('says of cases that there are, in words, why they do not apply or differ', () => {
    const ids = evaluate('cases.mjs', 'return subject.CASES.map(({ id }) => id)') as string[]
    for (const { expect: byRole = {} } of peers) {
      for (const [patterns, { na, differs, because }] of Object.values(byRole).flatMap((rows) =>
        Object.entries(rows),
      )) {
        for (const pattern of patterns.split(' ')) {
          const matcher = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
          expect([pattern, ids.some((id) => matcher.test(id))]).toEqual([pattern, true])
        }
        if (na === undefined) expect([differs, because]).toEqual([expect.any(String), expect.any(String)])
        else expect([differs, because]).toEqual([undefined, undefined])
      }
    }
  })

  test('has a row on the page for each peer, role and table, without a result that was not expected', () => {
    const page = readFileSync(path.join(root, 'docs/interop.md'), 'utf8')
    expect(page).not.toMatch(/missing|unexpected/)
    const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    for (const { name, title = name, version, roles } of peers) {
      const own = rows.filter((cells) => cells[1] === title)
      for (const role of roles) expect(own.filter((cells) => cells[2] === role)).toHaveLength(3)
      if (version !== undefined) expect(own.some((cells) => cells[2] === version)).toBe(true)
    }
  })
})

describe('the result of a case', () => {
  const resultOf = (failure?: string, expected?: Expectation): unknown =>
    evaluate('result.mjs', 'return subject.resultOf("text", input.failure, input.expected)', {
      failure,
      expected,
    })
  const expected = { differs: '^1000 instead', because: 'It reports 1000.' }

  test('is ok where nothing else is expected and nothing failed', () => {
    expect(resultOf()).toEqual({ id: 'text', outcome: 'ok' })
  })

  test('is unexpected where something failed, or failed in another way than is expected', () => {
    expect(resultOf('lost')).toEqual({ id: 'text', outcome: 'unexpected', note: 'lost' })
    expect(resultOf('lost', expected)).toMatchObject({
      outcome: 'unexpected',
      note: 'lost (expected: ^1000 instead)',
    })
  })

  test('differs where the fault of the peer is still there, and is unexpected once it is not', () => {
    expect(resultOf('1000 instead of 1005', expected)).toEqual({
      id: 'text',
      outcome: 'differs',
      note: 'It reports 1000.',
    })
    expect(resultOf(undefined, expected)).toMatchObject({ outcome: 'unexpected' })
  })
})

describe('the tap', () => {
  test('counts frames, continuations and compressed messages of each end, however the bytes are cut', () => {
    const counts = evaluate(
      'tap.mjs',
      `
      const { connect, createServer } = await import('node:net')
      const { once } = await import('node:events')
      const head = Buffer.from('HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n')
      // Compressed text in two frames with a ping between them, 126 bytes masked, 65,536 bytes, an empty close.
      const fromServer = Buffer.concat([
        head,
        Buffer.from('4101aa8901ff8001bb', 'hex'),
        Buffer.from('827e007e', 'hex'),
        Buffer.alloc(126, 0x41),
        Buffer.from('827f0000000000010000', 'hex'),
        Buffer.alloc(65536, 0xc1),
        Buffer.from('8800', 'hex'),
      ])
      const fromClient = Buffer.concat([head, Buffer.from('c1820102030440508a80000000000100', 'hex').subarray(0, 8)])
      const server = createServer((socket) => {
        for (const byte of fromServer.subarray(0, 400)) socket.write(Buffer.from([byte]))
        socket.end(fromServer.subarray(400))
        socket.resume()
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const wire = await subject.tap(server.address().port)
      const client = connect(wire.port, '127.0.0.1')
      let received = 0
      client.on('data', (chunk) => { received += chunk.length })
      client.end(fromClient)
      await once(client, 'close')
      wire.stop()
      server.close()
      return { whole: received === fromServer.length, fromClient: wire.fromClient, fromServer: wire.fromServer }
    `,
    )
    expect(counts).toEqual({
      whole: true,
      fromServer: { frames: 4, continuations: 1, compressed: 1 },
      fromClient: { frames: 1, continuations: 0, compressed: 1 },
    })
  })
})
