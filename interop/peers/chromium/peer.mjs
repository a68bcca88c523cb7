/** Chromium's WebSocket and WebSocketStream: a page, driven by playwright-core. */
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { ARGUMENTS, findChromium } from '../../../consumers/lib/browser.mjs'
import { main, settings } from '../shared/program.mjs'
import { serveStream, serveWebSocket } from '../shared/whatwg.mjs'

const CALLS = {
  websocket: 'serveWebSocket(new WebSocket(spec.url, spec.protocols), wanted)',
  stream: 'serveStream(new WebSocketStream(spec.url, { protocols: spec.protocols }), wanted)',
}

const [api, ...args] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: findChromium(), args: ARGUMENTS })
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
