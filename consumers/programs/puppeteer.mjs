/** puppeteer-core: Chromium driven over a WebSocket to its DevTools. */
import { createServer } from 'node:http'
import puppeteer from 'puppeteer-core'
import { ARGUMENTS, findChromium } from '../lib/browser.mjs'
import { close, digest, listen, once, textOf, within } from '../lib/tools.mjs'

const CALLS = 300

export async function run({ figure }) {
  const http = createServer((_request, response) =>
    response
      .setHeader('content-type', 'text/html')
      .end('<title>page</title><button onclick="this.textContent = \'clicked\'">click</button>'),
  )
  const url = `http://127.0.0.1:${String(await listen(http))}/`
  const browser = await puppeteer.launch({
    executablePath: findChromium(),
    headless: true,
    args: ARGUMENTS,
    pipe: false,
  })
  const page = await browser.newPage()
  await page.goto(url)
  await page.click('button')
  const result = {
    title: await page.title(),
    button: await page.$eval('button', ({ textContent }) => textContent),
    large: digest(await page.evaluate((text) => text + text, textOf(1_000_000))),
    screenshot: Buffer.from(await page.screenshot())
      .subarray(1, 4)
      .toString(),
  }
  const began = performance.now()
  for (let index = 0; index < CALLS; index += 1) await page.evaluate(`${String(index)} + 1`)
  figure('calls a second', Math.round(CALLS / ((performance.now() - began) / 1000)))

  // A second connection to the same browser, which leaves it alive.
  const second = await puppeteer.connect({ browserWSEndpoint: browser.wsEndpoint() })
  const same = (await second.pages()).find((other) => other.url() === url)
  result.second = [await same.title(), second.connected]
  await second.disconnect()
  result.afterwards = [second.connected, browser.connected]
  result.wrong = await puppeteer.connect({ browserWSEndpoint: url.replace('http', 'ws') }).then(
    () => 'connected',
    (error) => error.message ?? error.error?.message,
  )
  const gone = once(browser, 'disconnected')
  await within(browser.close(), 'the end of the browser')
  await gone
  http.closeAllConnections()
  await close(http)
  return result
}
