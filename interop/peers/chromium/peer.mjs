/** Chromium's WebSocket and WebSocketStream: a page, driven by playwright-core. */
import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { main, settings } from '../shared/program.mjs'
import { serveStream, serveWebSocket } from '../shared/whatwg.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

const ARGUMENTS = [
  // The page is our own, and in containers the sandbox lacks what it needs.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const CALLS = {
  websocket: 'serveWebSocket(new WebSocket(spec.url, spec.protocols), wanted)',
  stream: 'serveStream(new WebSocketStream(spec.url, { protocols: spec.protocols }), wanted)',
}

const [api, ...args] = process.argv.slice(2)
const files = process.env.PATH.split(path.delimiter).flatMap((folder) =>
  NAMES.map((name) => path.join(folder, name)),
)
const browser = await chromium.launch({ executablePath: files.find(isExecutable), args: ARGUMENTS })
const server = createServer((_, response) =>
  response.setHeader('Content-Type', 'text/html').end('<!doctype html>'),
)
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const page = await browser.newPage()
await page.goto(`http://127.0.0.1:${server.address().port}/`)

await main(
  {
    run: (spec) =>
      page.evaluate(`(() => {
        ${serveWebSocket.toString()}
        ${serveStream.toString()}
        const spec = ${JSON.stringify(spec)}
        const wanted = ${JSON.stringify(settings(spec.url))}
        return ${CALLS[api]}
      })()`),
  },
  args,
)
server.close()
await browser.close()
