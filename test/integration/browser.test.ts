// slow: a browser must start
/** The page of the `hawser` command in a real browser. */
import path from 'node:path'
import { DemoServer } from '../../src/cli/demo-server.js'
import { findChromium, launchChromium, type Browser, type Locator, type Page } from '../helpers/chromium.js'

const executablePath = findChromium()
const HOW = 'Install one (Debian: apt-get install chromium), or set HAWSER_CHROMIUM.'
// In CI nothing is skipped: without a browser the tests fail.
const isSkipped = executablePath === null && process.env['CI'] !== 'true'
if (isSkipped) process.stderr.write(`The browser test is skipped: no Chromium here. ${HOW}\n`)
// eslint-disable-next-line no-restricted-properties -- reported as skipped where there is nothing to run it in
const inBrowser = isSkipped ? describe.skip : describe

inBrowser('the page in Chromium', () => {
  let server: DemoServer
  let browser: Browser
  let page: Page
  /** What the browser complained about. */
  let complaints: string[]

  beforeAll(async () => {
    if (executablePath === null) throw new Error(`no Chromium here. ${HOW}`)
    const pageDirectory = path.join(__dirname, '../../src/cli/page')
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
    // eslint-disable-next-line jest/no-standalone-expect -- it is part of each of the tests
    expect(complaints).toEqual([])
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

  test('connects by itself, and shows what was agreed', async () => {
    expect(await page.locator('#state').textContent()).toMatch(/Open/)
    expect(await page.locator('#endpoint').textContent()).toBe(`ws://localhost:${server.port}/echo`)
    expect(await page.locator('#extension').textContent()).toMatch(/^permessage-deflate/)
    expect(await page.locator('#subprotocol').textContent()).toBe('echo.hawser')
    expect(await page.locator('#buffered').textContent()).toBe('0 B')
  })

  test('sends text and shows its echo, with time', async () => {
    await sendText('Hello ⚓')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('Hello ⚓')
    expect(await received().locator('.size').textContent()).toBe('9 B')
    expect(await received().locator('.echo').textContent()).toMatch(/^echoed in \d+(\.\d+)? (ms|s)$/)
    expect(await received().locator('time').textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/)
    expect(await page.locator('#messages-note').textContent()).toBe('1 sent, 1 received')
  })

  test('Enter sends', async () => {
    await page.locator('#input').fill('by key')
    await page.locator('#input').press('Enter')
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe('by key')
  })

  test('shows TEXT frames both ways: the one of the browser masked, the other not', async () => {
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

  test('shows a compressed frame as one', async () => {
    await page.locator('[data-sample="text"][data-size="65536"]').click()
    const back = await cells(frames('server', 'TEXT'))
    expect(back[3]).toBe('FIN RSV1')
    expect(Number(back[5]?.replaceAll(',', ''))).toBeLessThan(6_000)
    expect(await received().locator('.size').textContent()).toBe('64 KiB')
  })

  test('measures the round trip by itself, and when asked', async () => {
    await textOf('#rtt', /^\d+(\.\d+)? m?s$/)
    await frames('client', 'PONG').nth(0).waitFor()
    await page.locator('#ping').click()
    await frames('client', 'PONG').nth(1).waitFor()
    expect((await cells(frames('server', 'PING').nth(1)))[4]).toBe('no')
    expect((await cells(frames('client', 'PONG').nth(1)))[4]).toMatch(/^yes /)
  })

  test('sends binary, written in hexadecimal', async () => {
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

  test('shows the start of megabytes, and stays usable', async () => {
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

  test('keeps the end of a long list', async () => {
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

  test('shows whatever comes as text, never as markup', async () => {
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>'
    await sendText(markup)
    await received().waitFor()
    expect(await received().locator('pre').textContent()).toBe(markup)
    expect(await page.locator('#messages img, #messages b').count()).toBe(0)
  })

  test('closes, says how, and connects again', async () => {
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

  test('a server that goes away is told', async () => {
    const pageDirectory = path.join(__dirname, '../../src/cli/page')
    const ending = await DemoServer.start({ host: 'localhost', port: 0, pageDirectory })
    await page.goto(ending.url)
    await stateIs('open')
    await ending.close()
    await stateIs('closed')
    await page.locator('#messages .event').filter({ hasText: 'Closed with 1001' }).waitFor()
    expect(await page.locator('#state').getAttribute('data-state')).toBe('closed')
  })

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

  test('two pages in a room see what the other says; another room does not', async () => {
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

  test('a room is left, and another one joined', async () => {
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
})
