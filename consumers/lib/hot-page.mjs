/** A page in Chromium that a development server keeps up to date, and what becomes of it. */
import { chromium } from 'playwright-core'
import { ARGUMENTS, findChromium } from './browser.mjs'
import { until } from './tools.mjs'

/** Chromium is driven over a pipe: no WebSocket of playwright is counted. */
export async function openPage(url) {
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: ARGUMENTS })
  const page = await browser.newPage()
  await page.goto(url)
  return {
    page,
    mark: () => page.evaluate('window.mark = true'),
    /** Whether the page was not loaded again since `mark`. */
    isSamePage: () => page.evaluate('window.mark === true'),
    shows: (text) =>
      until(
        async () => (await page.evaluate('document.body.innerText').catch(() => '')).includes(text),
        `"${text}" in the page`,
        30_000,
      ),
    close: () => browser.close(),
  }
}
