// ws with its defaults, but for compression (off unless --deflate; its threshold does not count where it keeps a context)
// and the bound on large messages. With WS_NO_BUFFER_UTIL=1 it runs without its native add-ons.
import { isUtf8 } from 'node:buffer'
import http from 'node:http'
import { createRequire } from 'node:module'
import { WebSocketServer } from 'ws'
import { serveWs } from './serve-ws.mjs'

/** What of the two native add-ons, which are both installed, ws has loaded in this process, and what it uses instead. */
function readHelpers() {
  const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.endsWith('.node'))
  const has = (name) => loaded.some((file) => file.includes(`/node_modules/${name}/`))
  const mask = has('bufferutil')
    ? 'bufferutil'
    : typeof http.websocketMask === 'function'
      ? 'websocketMask of node:http'
      : 'JavaScript'
  const utf8 = has('utf-8-validate')
    ? 'utf-8-validate'
    : typeof isUtf8 === 'function'
      ? 'isUtf8 of node:buffer'
      : 'JavaScript'
  return `masks by ${mask}, validates UTF-8 by ${utf8}`
}

serveWs(WebSocketServer, readHelpers)
