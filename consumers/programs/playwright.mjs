/**
 * playwright-core: Chromium driven through a browser server, so that both ends are WebSockets; routes of WebSockets in a page.
 * Its own copy of `ws` is replaced.
 */
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { WebSocketServer } from 'ws'
import { ARGUMENTS, findChromium } from '../lib/browser.mjs'
import { close, digest, listen, once, textOf, until, within } from '../lib/tools.mjs'

const CALLS = 300

export async function run({ figure }) {
  const http = createServer((_request, response) =>
    response
      .setHeader('content-type', 'text/html')
      .end('<title>page</title><button onclick="this.textContent = \'clicked\'">click</button>'),
  )
  const wss = new WebSocketServer({ server: http })
  wss.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  )
  const port = String(await listen(http))
  const server = await chromium.launchServer({
    executablePath: findChromium(),
    headless: true,
    args: ARGUMENTS,
    host: '127.0.0.1',
  })
  const browser = await chromium.connect(server.wsEndpoint(), { headers: { 'x-by': 'test' } })
  const page = await browser.newPage()
  const frames = []
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => frames.push(`sent ${digest(payload)}`))
    socket.on('framereceived', ({ payload }) => frames.push(`received ${digest(payload)}`))
  })
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.locator('button').click()
  const result = {
    title: await page.title(),
    button: await page.locator('button').textContent(),
    large: digest(await page.evaluate((text) => text + text, textOf(1_000_000))),
    // Large, and binary on the way.
    screenshot: (await page.screenshot()).subarray(1, 4).toString(),
    echo: await page.evaluate(`(async () => {
      const socket = new WebSocket('ws://127.0.0.1:${port}/')
      await new Promise((resolve) => (socket.onopen = resolve))
      socket.send('from the page')
      const { data } = await new Promise((resolve) => (socket.onmessage = resolve))
      socket.close()
      return data
    })()`),
  }
  await until(() => frames.length === 2, 'the frames of the page')
  result.frames = frames

  const began = performance.now()
  for (let index = 0; index < CALLS; index += 1) await page.evaluate(`${String(index)} + 1`)
  figure('calls a second', Math.round(CALLS / ((performance.now() - began) / 1000)))

  result.wrong = await chromium.connect(`ws://127.0.0.1:${port}/`, { timeout: 500 }).then(
    () => 'connected',
    (error) => error.name,
  )
  const gone = once(browser, 'disconnected')
  await within(server.close(), 'the end of the browser')
  await gone
  result.isConnected = browser.isConnected()
  for (const client of wss.clients) client.terminate()
  wss.close()
  http.closeAllConnections()
  await close(http)
  return result
}
