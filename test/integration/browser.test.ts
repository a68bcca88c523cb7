// slow: a browser must start
/** The page of the `hawser` command in a real browser. */
import { createServer as createHttp, type ServerResponse } from 'node:http'
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { DemoServer } from '../../demo/demo-server.js'
import { findChromium, launchChromium, type Browser, type Locator, type Page } from '../helpers/chromium.js'

const pageDirectory = path.join(__dirname, '../../demo/page')
const executablePath = findChromium()
const HOW = 'Install one (Debian: apt-get install chromium), or set HAWSER_CHROMIUM.'
// In CI nothing is skipped: without a browser the tests fail.
const isSkipped = executablePath === null && process.env['CI'] !== 'true'
if (isSkipped) process.stderr.write(`The browser test is skipped: no Chromium here. ${HOW}\n`)
// eslint-disable-next-line no-restricted-properties -- reported as skipped where there is nothing to run it in
const inBrowser = isSkipped ? describe.skip : describe

interface Forwarder {
  readonly port: number
  /** Ends it, with the connections through it. */
  cut(): void
  /** Ends the connections whose request has this path, and goes on. */
  cutPath(path: string): void
}

const forwarders: Pick<Forwarder, 'cut'>[] = []

/** Forwards a port of 127.0.0.1, as `ssh -L` does. @param breaksUpgrades as proxies do that know HTTP alone */
async function forward(target: number, port = 0, breaksUpgrades = false): Promise<Forwarder> {
  const sockets = new Set<Socket>()
  const requests = new Map<Socket, string>()
  const listener = createServer((near) => {
    const far = connectTcp(target, 'localhost')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => {
        const text = bytes.toString('latin1')
        if (from === near) requests.set(near, (requests.get(near) ?? '') + text)
        to.write(breaksUpgrades ? Buffer.from(text.replace(/^upgrade: .*\r\n/im, ''), 'latin1') : bytes)
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  const forwarder = {
    port: (listener.address() as AddressInfo).port,
    cut: () => {
      listener.close()
      for (const socket of sockets) socket.destroy()
    },
    cutPath: (path: string) => {
      for (const [socket, request] of requests) if (request.startsWith(`GET ${path}`)) socket.destroy()
    },
  }
  forwarders.push(forwarder)
  return forwarder
}

inBrowser('the page in Chromium', () => {
  let server: DemoServer
  let browser: Browser
  let page: Page
  /** What the browser complained about. */
  let complaints: string[]
  /** The server was away: a request of the page may fail until the page is closed. */
  let wasAway: boolean
  const others = (): string[] =>
    complaints.filter((text) => !/^failed: |ERR_|WebSocket connection to/.test(text))

  beforeAll(async () => {
    if (executablePath === null) throw new Error(`no Chromium here. ${HOW}`)
    server = await DemoServer.start({ host: 'localhost', port: 0, pageDirectory })
    browser = await launchChromium(executablePath)
  }, 60_000)
  afterAll(async () => {
    // Where the browser could not be started, there is less to close, or nothing.
    await (browser as Browser | undefined)?.close()
    await (server as DemoServer | undefined)?.close()
  })

  beforeEach(async () => {
    complaints = []
    wasAway = false
    page = await browser.newPage()
    page.setDefaultTimeout(15_000)
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
    await page.goto(server.url)
    await stateIs('open')
  })
  afterEach(async () => {
    await (page as Page | undefined)?.close()
    for (const forwarder of forwarders.splice(0)) forwarder.cut()
    // eslint-disable-next-line jest/no-standalone-expect -- it is part of each of the tests
    expect(wasAway ? others() : complaints).toEqual([])
  })

  const stateIs = (state: string): Promise<void> => page.locator(`#state[data-state="${state}"]`).waitFor()
  const textOf = (selector: string, text: RegExp): Promise<void> =>
    page.locator(selector).filter({ hasText: text }).waitFor()
  const received = (): Locator => page.locator('.message[data-direction="received"]')
  const frames = (from: 'client' | 'server', opcode: string): Locator =>
    page.locator(`#frames tr[data-from="${from}"][data-opcode="${opcode}"]`)
  const cells = async (row: Locator): Promise<string[]> => {
    await row.waitFor({ state: 'attached' })
    return (await row.locator('td').allTextContents()).map((text) => text.replace(/\s+/g, ' ').trim())
  }
  const sendText = async (text: string): Promise<void> => {
    await page.locator('#input').fill(text)
    await page.locator('#send').click()
  }

  test('the page connects by itself, and shows the agreed protocol and extensions', async () => {
    expect(await page.locator('#state').textContent()).toMatch(/Open/)
    expect(await page.locator('#endpoint').textContent()).toBe(`ws://localhost:${server.port}/echo`)
    expect(await page.locator('#extension').textContent()).toMatch(/^permessage-deflate/)
    expect(await page.locator('#subprotocol').textContent()).toBe('echo.hawser')
    expect(await page.locator('#buffered').textContent()).toBe('0 B')
  })

  test('the page sends text, and shows its echo with the time', async () => {
    await sendText('Hello ⚓')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('Hello ⚓')
    expect(await received().locator('.size').textContent()).toBe('9 B')
    expect(await received().locator('.echo').textContent()).toMatch(/^echoed in \d+(\.\d+)? (ms|s)$/)
    expect(await received().locator('time').textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/)
    expect(await page.locator('#messages-note').textContent()).toBe('1 sent, 1 received')
  })

  test('the Enter key sends the message', async () => {
    await page.locator('#input').fill('by key')
    await page.locator('#input').press('Enter')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('by key')
  })

  test("the page shows the TEXT frames of both directions, the browser's masked and the server's not", async () => {
    await sendText('abc')
    const sent = await cells(frames('client', 'TEXT'))
    const back = await cells(frames('server', 'TEXT'))
    expect(sent.slice(1, 3)).toEqual(['↑ Sent', 'TEXT'])
    expect(sent[3]).toMatch(/^FIN /)
    expect(sent[4]).toMatch(/^yes [0-9a-f]{8}$/)
    expect(Number(sent[5])).toBeGreaterThan(0)
    expect(sent[6]).toMatch(/^([0-9a-f]{2} ?)+/)
    expect(back).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3}$/),
      '↓ Received',
      'TEXT',
      'FIN RSV1 not set',
      'no',
      '3',
      '61 62 63abc',
    ])
  })

  test('the page marks a compressed frame as compressed', async () => {
    await page.locator('[data-sample="text"][data-size="65536"]').click()
    const back = await cells(frames('server', 'TEXT'))
    expect(back[3]).toBe('FIN RSV1')
    expect(Number(back[5]?.replaceAll(',', ''))).toBeLessThan(6_000)
    expect(await received().locator('.size').textContent()).toBe('64 KiB')
  })

  test('the page measures the round trip by itself, and when the user asks', async () => {
    await textOf('#rtt', /^\d+(\.\d+)? m?s$/)
    await frames('client', 'PONG').nth(0).waitFor()
    await page.locator('#ping').click()
    await frames('client', 'PONG').nth(1).waitFor()
    expect((await cells(frames('server', 'PING').nth(1)))[4]).toBe('no')
    expect((await cells(frames('client', 'PONG').nth(1)))[4]).toMatch(/^yes /)
  })

  test('the page sends binary messages that are written in hexadecimal', async () => {
    await page.locator('.choice label').filter({ hasText: 'Binary' }).click()
    await sendText('00 ff 0x10')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('00 ff 10  ···')
    expect((await cells(frames('client', 'BINARY')))[4]).toMatch(/^yes /)
    expect((await cells(frames('server', 'BINARY'))).slice(4)).toEqual(['no', '3', '00 ff 10···'])

    await sendText('xyz')
    expect(await page.locator('#input-error').textContent()).toMatch(/hexadecimal/)
    expect(await page.locator('#messages-note').textContent()).toBe('1 sent, 1 received')
  })

  test('the page shows the start of a message of megabytes, and stays usable', async () => {
    await page.locator('[data-sample="binary"][data-size="8388608"]').click()
    await page.locator('[data-sample="text"][data-size="8388608"]').click()
    await received().nth(1).waitFor()
    expect(await received().locator('.size').allTextContents()).toEqual(['8 MiB', '8 MiB'])
    for (const text of await received().locator('pre').allTextContents())
      expect(text.length).toBeLessThan(300)
    await sendText('still here')
    await received().nth(2).waitFor()
    await textOf('#buffered', /^0 B$/)
  })

  test('the page keeps the end of a long list', async () => {
    await page.evaluate(`
      const input = document.getElementById('input')
      for (let i = 0; i < 600; i++) {
        input.value = 'message ' + i
        document.getElementById('send').click()
      }
    `)
    await received()
      .filter({ hasText: /message 599$/ })
      .waitFor()
    expect(await page.locator('#messages li').count()).toBeLessThanOrEqual(200)
    await textOf('#messages-note', /600 received/)
    expect(await page.locator('#frames tr').count()).toBeLessThanOrEqual(400)
  })

  test('the page shows received text as text, never as markup', async () => {
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>'
    await sendText(markup)
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe(markup)
    expect(await page.locator('#messages img, #messages b').count()).toBe(0)
  })

  test('the page closes, says with which code, and connects again', async () => {
    await page.locator('#toggle').click()
    await stateIs('closed')
    expect(await page.locator('#toggle').textContent()).toBe('Connect')
    expect(await page.locator('#send').isDisabled()).toBe(true)
    await page.locator('#messages .event').filter({ hasText: 'Closed with 1000' }).waitFor()
    const close = await cells(frames('client', 'CLOSE'))
    expect([close[4]?.slice(0, 3), close[6]]).toEqual(['yes', '03 e8 64 6f 6e 651000 “done”'])
    expect((await cells(frames('server', 'CLOSE')))[4]).toBe('no')

    await page.locator('#toggle').click()
    await stateIs('open')
    await sendText('again')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('again')
  })

  const event = (text: string): Promise<void> =>
    page.locator('#messages .event').filter({ hasText: text }).waitFor()
  /** What a browser complains about by itself where nobody answers, and the page cannot keep from it. */
  const expectUnanswered = (): void => {
    expect(others()).toEqual([])
    complaints = []
    wasAway = true
  }
  const start = (options: { port?: number; origins?: string[] } = {}): Promise<DemoServer> =>
    DemoServer.start({ host: 'localhost', port: 0, pageDirectory, ...options })

  test('the page says that the server stopped, and connects again by itself when it is back', async () => {
    const first = await start()
    await page.goto(first.url)
    await stateIs('open')
    await joinRoom(page, 'dogs', 'Ada')
    await first.close()
    await stateIs('waiting')
    await event('Closed with 1001')
    await event(': the server stops')
    await textOf('#why', /^Refused: nobody answers at localhost:\d+\. .*\. Next try in \d+ s$/)
    await page
      .locator('#chat-messages .event')
      .filter({ hasText: 'You are out of dogs. Closed with 1001: the server stops' })
      .waitFor()
    expect(await page.locator('#send').isDisabled()).toBe(true)
    expect(await page.locator('#toggle').textContent()).toBe('Stop trying')

    const second = await start({ port: first.port })
    await stateIs('open')
    expect(await page.locator('#why').textContent()).toBe('')
    await sendText('again')
    await received().waitFor()
    await page.locator('#chat-messages .event').filter({ hasText: 'You joined dogs as Ada' }).nth(1).waitFor()
    await say(page, 'I am back')
    // Tries that fail leave nothing in the list.
    expect(await page.locator('#frames tr.mark').count()).toBe(2)
    second.terminate()
    await event('Lost: the connection broke without a Close frame (1006)')
    await stateIs('waiting')
    await page.locator('#toggle').click()
    await stateIs('closed')
    expect(await page.locator('#why').textContent()).toBe('')
    expectUnanswered()
  })

  test('the page works behind a forwarded port of the same machine', async () => {
    const forwarder = await forward(server.port)
    await page.goto(`http://127.0.0.1:${String(forwarder.port)}/`)
    await stateIs('open')
    await sendText('from far away')
    await received().waitFor()
    await frames('server', 'TEXT').waitFor()
    // Its end is no closing handshake.
    forwarder.cut()
    await event('Lost: the connection broke without a Close frame (1006)')
    await textOf('#why', /^Refused: nobody answers at 127\.0\.0\.1:\d+\. .*forwarded port leads nowhere/)
    expectUnanswered()
  })

  test('the page says what to do when the server does not allow its origin', async () => {
    const forwarder = await forward(server.port)
    const origin = `http://hawser.localhost:${String(forwarder.port)}`
    await page.goto(`${origin}/`)
    await event(`Refused: the server does not know pages of ${origin}. Start it with --origin ${origin}`)
    await stateIs('waiting')
    expectUnanswered()
    forwarder.cut()
    expectUnanswered()

    const friendly = await start({ origins: [origin] })
    const again = await forward(friendly.port, forwarder.port)
    await stateIs('open')
    again.cut()
    await friendly.close()
    await stateIs('waiting')
    expectUnanswered()
  })

  test('the page says that HTTP passes and WebSockets do not, when that is so', async () => {
    const forwarder = await forward(server.port, 0, true)
    await page.goto(`http://127.0.0.1:${String(forwarder.port)}/`)
    await event(`Refused: 127.0.0.1:${String(forwarder.port)} answers, but no WebSocket passes`)
    forwarder.cut()
    expectUnanswered()
  })

  test('the page says that something else answers, and connects when the server is back', async () => {
    const forwarder = await forward(server.port)
    const url = `http://127.0.0.1:${String(forwarder.port)}/`
    await page.goto(url)
    await stateIs('open')
    forwarder.cut()
    let answer = (response: ServerResponse): unknown => response.end('<!doctype html><title>Sign in</title>')
    const other = createHttp((request, response) => {
      if (request.url?.startsWith('/origin?') === true) answer(response)
      else response.end()
    })
    const end = (): void => {
      other.closeAllConnections()
      other.close()
    }
    forwarders.push({ cut: end })
    await new Promise<void>((resolve) => other.listen(forwarder.port, '127.0.0.1', resolve))
    const text = `Refused: something else answers at 127.0.0.1:${String(forwarder.port)}, perhaps a sign-in page of the forwarded port`
    await event(text)
    await textOf('#why', /^Refused: something else answers at .*[.] Next try in \d+ s$/)

    const asked = (): Promise<unknown> => page.evaluate(`import('/why.js').then((why) => why.askServer())`)
    const answers: ((response: ServerResponse) => unknown)[] = [
      (response) => response.end('null'),
      (response) => response.end('{"isAllowed":"yes"}'),
      (response) => response.writeHead(302, { Location: 'http://localhost:1/sign-in' }).end(),
      (response) => {
        response.writeHead(200, { 'Content-Length': 20 }).write('{"isAllowed":')
        setImmediate(() => response.destroy())
      },
      // The page waits for 3 s.
      (response) => response.writeHead(200).write('{"isAllowed":'),
    ]
    for (answer of answers) {
      expect(await asked()).toEqual({ canConnect: false, text: expect.stringContaining(text) as string })
    }
    const ended = new Promise((resolve) => other.once('close', resolve))
    end()
    await ended
    const again = await forward(server.port, forwarder.port)
    await stateIs('open')
    expectUnanswered()
    again.cut()
    await stateIs('waiting')
    expectUnanswered()
  })

  test.each([
    [1280, 800],
    [1280, 1100],
    [1024, 800],
    [375, 800],
  ])(
    'the page fits at %i by %i pixels, and neither it nor the frames scroll sideways',
    async (width, height) => {
      await page.setViewportSize({ width, height })
      await sendText('0123456789abcdef')
      await page.locator('.choice label').filter({ hasText: 'Binary' }).click()
      await sendText('ff '.repeat(20))
      await page.locator('[data-sample="binary"][data-size="8388608"]').click()
      await received().nth(2).waitFor()
      await page.locator('#toggle').click()
      await stateIs('closed')
      await frames('server', 'CLOSE').waitFor()
      const wide = (await page.evaluate(`
      [document.documentElement, document.getElementById('frames-scroll')]
        .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
    `)) as number[]
      expect(wide).toEqual([0, 0])
    },
  )

  const joinRoom = async (of: Page, room: string, name: string): Promise<void> => {
    await of.locator('#chat-room').fill(room)
    await of.locator('#chat-name').fill(name)
    await of.locator('#chat-toggle').click()
    await of
      .locator('#chat-messages .event')
      .filter({ hasText: `You joined ${room} as ${name}` })
      .waitFor()
  }
  const say = async (of: Page, text: string): Promise<void> => {
    await of.locator('#chat-input').fill(text)
    await of.locator('#chat-input').press('Enter')
    await of.locator('#chat-messages .sent').filter({ hasText: text }).waitFor()
  }
  const heard = (of: Page): Locator => of.locator('#chat-messages .received')

  test("two pages in a room see each other's messages, and a page in another room does not", async () => {
    const [second, third] = [await browser.newPage(), await browser.newPage()]
    for (const other of [second, third]) {
      other.on('pageerror', (error) => complaints.push(error.message))
      await other.goto(server.url)
    }
    await joinRoom(page, 'dogs', 'Ada')
    await textOf('#chat-note', /^dogs: you alone$/)
    await joinRoom(second, 'dogs', 'Bob')
    await joinRoom(third, 'cats', 'Cat')
    await textOf('#chat-note', /^dogs: 2 people$/)

    await say(page, 'hello <i>Bob</i>')
    await heard(second).waitFor()
    expect(await heard(second).locator('pre').textContent()).toBe('hello <i>Bob</i>')
    expect(await heard(second).locator('.direction').textContent()).toBe('Ada')
    await say(second, 'hello Ada')
    await heard(page).waitFor()
    expect(await heard(page).locator('pre').allTextContents()).toEqual(['hello Ada'])
    // What comes to a room after all of this is the first that it hears.
    await say(third, 'anybody?')
    expect(await heard(third).count()).toBe(0)

    await second.close()
    await page.locator('#chat-messages .event').filter({ hasText: 'Bob left' }).waitFor()
    await third.close()
  })

  test('the page leaves a room and joins another one', async () => {
    expect(await page.locator('#chat-send').isDisabled()).toBe(true)
    expect(await page.locator('#chat-room').getAttribute('maxlength')).toBe('32')
    await joinRoom(page, 'dogs', 'Ada')
    expect(await page.locator('#chat-room').isDisabled()).toBe(true)
    await page.locator('#chat-toggle').click()
    await page.locator('#chat-messages .event').filter({ hasText: 'You left dogs' }).waitFor()
    expect(await page.locator('#chat-toggle').textContent()).toBe('Join')
    await joinRoom(page, 'cats/and more', 'Ada')
    await say(page, 'meow')
  })

  const chatEvent = (text: string, index = 0): Promise<void> =>
    page.locator('#chat-messages .event').filter({ hasText: text }).nth(index).waitFor()

  test('the page joins the room again when the connection of the chat alone is lost', async () => {
    const forwarder = await forward(server.port)
    await page.goto(`http://127.0.0.1:${String(forwarder.port)}/`)
    await stateIs('open')
    await joinRoom(page, 'dogs', 'Ada')
    forwarder.cutPath('/chat/')
    await chatEvent('You are out of dogs. Lost: the connection broke')
    await chatEvent('You joined dogs as Ada', 1)
    await say(page, 'I am back')
    expect(await page.locator('#state').getAttribute('data-state')).toBe('open')
    expect(await page.locator('#chat-toggle').textContent()).toBe('Leave')
    // And when the echo was disconnected by the user.
    await page.locator('#toggle').click()
    await stateIs('closed')
    forwarder.cutPath('/chat/')
    await chatEvent('You joined dogs as Ada', 2)
    expectUnanswered()
  })

  test('the page goes on trying to join the room where a try fails, until the user stops it', async () => {
    let forwarder = await forward(server.port)
    const { port } = forwarder
    await page.goto(`http://127.0.0.1:${String(port)}/`)
    await stateIs('open')
    await joinRoom(page, 'dogs', 'Ada')
    forwarder.cut()
    // HTTP passes and no WebSocket, so that the try itself fails.
    forwarder = await forward(server.port, port, true)
    await chatEvent('The room could not be joined')
    expect(await page.locator('#chat-toggle').textContent()).toBe('Stop trying')
    expect(await page.locator('#chat-room').isDisabled()).toBe(true)
    forwarder.cut()
    forwarder = await forward(server.port, port)
    await chatEvent('You joined dogs as Ada', 1)

    forwarder.cut()
    await chatEvent('You are out of dogs', 1)
    await page.locator('#chat-toggle').click()
    expect(await page.locator('#chat-toggle').textContent()).toBe('Join')
    expect(await page.locator('#chat-room').isDisabled()).toBe(false)
    expect(await page.locator('#chat-note').textContent()).toBe('')
    await forward(server.port, port)
    await stateIs('open')
    expect(await page.locator('#chat-toggle').textContent()).toBe('Join')
    await joinRoom(page, 'cats', 'Ada')
    expectUnanswered()
  })
})
