// slow: every case runs over TCP, and many over TLS as well
/**
 * The web-platform-tests for websockets, rewritten against the standard: each case in wpt/ says which of their files it stands
 * for. docs/whatwg.md has the table.
 */
import { WptServer } from '../helpers/wpt-server.js'
import { WPT_CASES } from './wpt/index.js'
import { World, type WptCase } from './wpt/world.js'

let server: WptServer

beforeAll(async () => {
  server = await WptServer.start()
})

afterAll(() => server.close())

async function expectHolds(one: WptCase, scheme: 'ws' | 'wss'): Promise<void> {
  const world = new World(server, scheme)
  try {
    await one.run(world)
  } finally {
    world.end()
  }
}

const titled = (cases: readonly WptCase[]): (readonly [string, WptCase])[] =>
  cases.map((one) => [`${one.title} (${one.files[0] ?? ''})`, one])

describe('the web-platform-tests', () => {
  it.each(titled(WPT_CASES))('%s', async (_, one) => {
    expect.hasAssertions()
    await expectHolds(one, 'ws')
  })

  it.each(titled(WPT_CASES.filter(({ secure }) => secure !== undefined)))('over TLS, %s', async (_, one) => {
    expect.hasAssertions()
    await expectHolds(one, 'wss')
  })
})
