/** A page in Chromium that a development server keeps up to date, and what becomes of it. */
import { chromium } from 'playwright-core'
import { ARGUMENTS, findChromium } from './browser.mjs'
import { until } from './tools.mjs'

/** Chromium is driven over a pipe: no WebSocket of playwright is counted. */
export async function openPage(url) {
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: ARGUMENTS })
  const page = await browser.newPage()
  await page.goto(url)
  const shows = (text, limitMs = 30_000) =>
    until(
      async () => (await page.evaluate('document.body.innerText').catch(() => '')).includes(text),
      `"${text}" in the page`,
      limitMs,
    )
  return {
    page,
    mark: () => page.evaluate('window.mark = true'),
    /** Whether the page was not loaded again since `mark`. */
    isSamePage: () => page.evaluate('window.mark === true'),
    shows,
    /** Writes a file until the page shows the text: a watcher that polls may miss a change right after another. */
    change: async (write, text) => {
      for (let time = 1; ; time += 1) {
        write()
        try {
          await shows(text, time < 5 ? 2_000 : 10_000)
          return
        } catch (error) {
          if (time === 5) throw error
        }
      }
    },
    close: () => browser.close(),
  }
}
