// The drop-in for ws: the program of ws, with the one package replaced.
import { createRequire } from 'node:module'
import { serveWs } from './serve-ws.mjs'

serveWs(createRequire(import.meta.url)('../../packages/ws/dist/index.js').WebSocketServer)
