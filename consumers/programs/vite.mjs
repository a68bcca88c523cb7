/** Vite: a module and a style are replaced in a page of Chromium without a reload, a page reloads, an error is shown. Its own copy of `ws` is replaced. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createServer } from 'vite'
import WebSocket from 'ws'
import { openPage } from '../lib/hot-page.mjs'
import { once, until, within } from '../lib/tools.mjs'

const greeting = (text) => `export const greeting = '${text}'\n`
const MAIN = `import { greeting } from './greeting.js'
import './style.css'
const show = (text) => (document.querySelector('#app').textContent = text)
show(greeting)
import.meta.hot.accept('./greeting.js', (module) => module && show(module.greeting))
import.meta.hot.on('from-server', (data) => import.meta.hot.send('from-page', data))
`
const HTML = `<!doctype html><title>page</title><div id="app"></div><script type="module" src="/main.js"></script>`

export async function run({ figure }) {
  const root = path.resolve('vite-root')
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  const write = (name, text) => writeFileSync(path.join(root, name), text)
  write('index.html', HTML)
  write('main.js', MAIN)
  write('greeting.js', greeting('first'))
  write('style.css', 'body { color: rgb(1, 2, 3) }')
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    cacheDir: path.join(root, '.vite'),
    server: { host: '127.0.0.1', port: 0, watch: { usePolling: true, interval: 50 } },
  })
  await server.listen()
  const port = String(server.httpServer.address().port)
  const page = await openPage(`http://127.0.0.1:${port}/`)
  await page.shows('first')
  await until(() => server.ws.clients.size === 1, 'the connection of the page')
  await page.mark()
  const result = {}

  await page.change(() => write('greeting.js', greeting('second')), 'second')
  result.replaced = await page.isSamePage()
  write('style.css', 'body { color: rgb(4, 5, 6) }')
  const color = () => page.page.evaluate('getComputedStyle(document.body).color')
  await until(async () => (await color()) === 'rgb(4, 5, 6)', 'the style')
  result.restyled = await page.isSamePage()

  // Both ways, by events of one's own.
  let answers = 0
  const answered = new Promise((resolve) =>
    server.ws.on(
      'from-page',
      (data, client) => (answers += 1) === 2_000 && resolve([data.number, typeof client.send]),
    ),
  )
  const began = performance.now()
  for (let number = 1; number <= 2_000; number += 1) server.ws.send('from-server', { number })
  result.answered = await within(answered, 'all answers')
  figure('messages a second', Math.round(2_000 / ((performance.now() - began) / 1000)))

  for (let index = 0; index < 3; index += 1) {
    const text = `text ${String(index)}`
    await page.change(() => write('greeting.js', greeting(text)), text)
  }
  result.afterwards = await page.isSamePage()
  write('greeting.js', 'export const greeting = (')
  await until(
    () => page.page.evaluate("document.querySelector('vite-error-overlay') !== null"),
    'the error in the page',
  )
  await page.change(() => write('greeting.js', greeting('mended')), 'mended')
  await page.change(() => write('index.html', HTML.replace('</div>', 'x</div><p>reloaded</p>')), 'reloaded')
  result.reloaded = !(await page.isSamePage())

  // A page that does not know the token is refused; one that only wants to know whether the server is there is not.
  const stranger = new WebSocket(`ws://127.0.0.1:${port}/?token=wrong`, 'vite-hmr', {
    origin: 'http://elsewhere.example',
  })
  stranger.on('error', ({ message }) => (result.stranger = message))
  await once(stranger, 'close')
  const ping = new WebSocket(`ws://127.0.0.1:${port}/`, 'vite-ping')
  await once(ping, 'open')
  result.ping = ping.protocol
  ping.close()
  await once(ping, 'close')
  await page.close()
  await until(() => server.ws.clients.size === 0, 'the end of the page')
  await within(server.close(), 'the end of the server')
  return result
}
