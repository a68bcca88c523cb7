/** webpack-dev-server: a module is replaced in a page of Chromium, errors reach it, it reloads; heartbeat, the end of the server. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import webpack from 'webpack'
import WebpackDevServer from 'webpack-dev-server'
import WebSocket from 'ws'
import { openPage } from '../lib/hot-page.mjs'
import { once, until, within } from '../lib/tools.mjs'

const greeting = (text) => `module.exports = '${text}'\n`
const MAIN = `const show = () => (document.querySelector('#app').textContent = require('./greeting.js'))
show()
if (module.hot) module.hot.accept('./greeting.js', show)
`

export async function run({ figure }) {
  const root = path.resolve('webpack-root')
  rmSync(root, { recursive: true, force: true })
  mkdirSync(path.join(root, 'public'), { recursive: true })
  const write = (name, text) => writeFileSync(path.join(root, name), text)
  write('main.js', MAIN)
  write('greeting.js', greeting('first'))
  write(
    'public/index.html',
    '<!doctype html><title>page</title><div id="app"></div><script src="/main.js"></script>',
  )
  const compiler = webpack({
    mode: 'development',
    context: root,
    entry: './main.js',
    devtool: false,
    output: { path: path.join(root, 'dist'), filename: 'main.js' },
    watchOptions: { poll: 50, aggregateTimeout: 10 },
    infrastructureLogging: { level: 'none' },
    stats: 'none',
  })
  const server = new WebpackDevServer(
    {
      host: '127.0.0.1',
      port: 0,
      hot: true,
      static: { directory: path.join(root, 'public'), watch: { usePolling: true, interval: 50 } },
      webSocketServer: { type: 'ws' },
      client: { overlay: true, reconnect: 3 },
    },
    compiler,
  )
  await server.start()
  const port = String(server.server.address().port)
  const page = await openPage(`http://127.0.0.1:${port}/`)
  await page.shows('first')
  const { clients } = server.webSocketServer
  await until(() => clients.length === 1, 'the connection of the page')
  await page.mark()
  const result = {}
  const began = performance.now()
  for (let index = 0; index < 5; index += 1) {
    const text = `text ${String(index)}`
    await page.change(() => write('greeting.js', greeting(text)), text)
  }
  figure('updates a second', Number((5 / ((performance.now() - began) / 1000)).toFixed(1)))
  result.replaced = await page.isSamePage()

  write('greeting.js', 'module.exports = (')
  await until(() => page.page.frames().length > 1, 'the error in the page')
  await page.change(() => write('greeting.js', greeting('mended')), 'mended')
  await page.mark()
  server.sendMessage(clients, 'static-changed')
  await until(
    () =>
      page
        .isSamePage()
        .then((isSame) => !isSame)
        .catch(() => false),
    'the reload',
  )
  result.reloaded = true

  // What the page is sent, as another client sees it.
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { origin: `http://127.0.0.1:${port}` })
  const types = []
  socket.on('message', (data) => types.push(JSON.parse(String(data)).type))
  await until(() => types.includes('ok'), 'the state')
  result.types = types
  await once(socket, 'ping')
  const refused = new WebSocket(`ws://127.0.0.1:${port}/ws`, { origin: 'http://elsewhere.example' })
  const [data] = await once(refused, 'message')
  result.refused = JSON.parse(String(data)).type
  refused.close()
  await once(refused, 'close')
  await page.close()
  const ended = once(socket, 'close')
  await within(server.stop(), 'the end of the server')
  result.ended = (await ended).map(String)
  await within(new Promise((resolve) => compiler.close(resolve)), 'the end of webpack')
  return result
}
