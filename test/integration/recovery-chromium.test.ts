// slow: a browser must start
/** The client of docs/recovery.md in a real browser: over lost connections, and when its page is loaded again. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { WebSocketServer } from '../../src/index.js'
import { memoryHistory } from '../../src/recovery/index.js'
import { findChromium, launchChromium, type Browser, type Page } from '../helpers/chromium.js'
import { numbered, until } from '../helpers/recovery-world.js'

const executablePath = findChromium()
const HOW = 'Install one (Debian: apt-get install chromium), or set HAWSER_CHROMIUM.'
// In CI nothing is skipped: without a browser the tests fail.
const isSkipped = executablePath === null && process.env['CI'] !== 'true'
if (isSkipped) process.stderr.write(`The test in a browser is skipped: no Chromium here. ${HOW}\n`)
// eslint-disable-next-line no-restricted-properties -- reported as skipped where there is nothing to run it in
const inBrowser = isSkipped ? describe.skip : describe

const page = readFileSync(path.join(__dirname, '../../docs/recovery.md'), 'utf8')
const code = /<!-- browser client -->\n\n```js\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ''

/** What a page does: it keeps all that it gets. */
const START = `
  ${code}
  window.got = []
  window.outcomes = []
  const shown = (data) => typeof data === 'string' ? data : 'bytes ' + [...new Uint8Array(data)]
  window.socket = recoveringSocket('ws://' + location.host + '/', {
    onMessage: (data) => window.got.push(shown(data)),
    onRecovered: (outcome) => window.outcomes.push(outcome),
    retryMs: 5,
  })`

inBrowser('the client of docs/recovery.md in Chromium', () => {
  let browser: Browser
  let tab: Page
  let complaints: string[]
  const closing: (() => unknown)[] = []

  beforeAll(async () => {
    if (executablePath === null) throw new Error(`no Chromium here. ${HOW}`)
    browser = await launchChromium(executablePath)
  }, 60_000)
  afterAll(() => (browser as Browser | undefined)?.close())
  beforeEach(async () => {
    complaints = []
    tab = await browser.newPage()
    tab.on('pageerror', (error) => complaints.push(error.message))
  })
  afterEach(async () => {
    await tab.close()
    for (const close of closing.splice(0).reverse()) await close()
    // eslint-disable-next-line jest/no-standalone-expect -- it is part of each of the tests
    expect(complaints).toEqual([])
  })

  /** A server whose page is the client, and whose connections join these groups. */
  async function open(
    groups: readonly string[],
    maxMessageBytes?: number,
  ): Promise<{ server: WebSocketServer; url: string }> {
    const http = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end(`<!doctype html><script>${START}</script>`)
    })
    const server = new WebSocketServer({
      recovery: { history: memoryHistory(), groups: ['room:*'] },
      ...(maxMessageBytes === undefined ? {} : { limits: { maxMessageBytes } }),
    })
    server.route('/', {
      onOpen: (socket) => {
        for (const group of groups) socket.join(group)
      },
      onMessage: (_, message) => message,
    })
    server.attach(http)
    closing.push(async () => {
      await server.close({ timeoutMs: 100 })
      http.close()
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    const address = http.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    return { server, url: `http://127.0.0.1:${String(port)}/` }
  }

  const read = async <T>(name: string): Promise<T> =>
    JSON.parse((await tab.evaluate(`JSON.stringify(${name})`)) as string) as T
  /** Waits until the page has got so many of something. @returns all of them */
  async function list<T>(name: string, count: number): Promise<T[]> {
    for (;;) {
      const all = await read<T[]>(name)
      if (all.length >= count) return all
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  it('gets what it missed, once and in order, over lost connections and when it is loaded again', async () => {
    const { server, url } = await open(['room:1'])
    const room = server.group('room:1')
    await tab.goto(url)
    await until(() => server.stats().recovery?.members === 1, 'the member')
    await room.publish('m0')
    await list('got', 1)
    for (let round = 0; round < 3; round++) {
      for (const one of server.sockets) one.terminate()
      for (const text of numbered(2, 1 + 2 * round)) await room.publish(text)
      expect(await list('outcomes', round + 1)).toHaveLength(round + 1)
    }
    expect(await list('got', 7)).toEqual(numbered(7))
    expect(await read('outcomes')).toEqual(
      Array.from({ length: 3 }, () => ({ group: 'room:1', recovered: true, count: 2 })),
    )
    await tab.goto('about:blank')
    await until(() => server.connectionCount === 0, 'the end of the page')
    await room.publish('m7')
    await room.publish(Uint8Array.of(0x32, 0xff))
    await tab.goto(url)
    expect(await list('outcomes', 1)).toEqual([{ group: 'room:1', recovered: true, count: 2 }])
    expect(await list('got', 2)).toEqual(['m7', 'bytes 50,255'])
    await tab.evaluate(`socket.send('text'); socket.send(new Uint8Array([1, 2]))`)
    expect(await list('got', 4)).toEqual(['m7', 'bytes 50,255', 'text', 'bytes 1,2'])
  })

  it('is told what is gone when the server has another history, and goes on', async () => {
    const { server, url } = await open(['room:1'])
    await tab.goto(url)
    await until(() => server.stats().recovery?.members === 1, 'the member')
    await server.group('room:1').publish('before')
    await list('got', 1)
    // The position of another history.
    await tab.evaluate(`
      const key = Object.keys(sessionStorage)[0]
      sessionStorage.setItem(key, JSON.stringify([['room:1', { epoch: 'another', offset: 7 }]]))`)
    await tab.goto(url)
    expect(await list('outcomes', 1)).toEqual([{ group: 'room:1', recovered: false, reason: 'epoch' }])
    await server.group('room:1').publish('after')
    expect(await list('got', 1)).toEqual(['after'])
  })

  it('sends the positions of many groups in messages that a server with a low maxMessageBytes takes', async () => {
    const groups = Array.from({ length: 200 }, (_, i) => `room:${String(i)} ${'x'.repeat(100)}`)
    const { server, url } = await open(groups, 1024)
    await tab.goto(url)
    const stored = `JSON.parse(Object.values(sessionStorage)[0] ?? '[]')`
    await list(stored, 200)
    for (const one of server.sockets) one.terminate()
    const outcomes = await list<{ recovered: boolean }>('outcomes', 200)
    expect(outcomes.filter(({ recovered }) => !recovered)).toEqual([])
    expect(server.stats().errors).toBe(0)
  })
})
