/** Preloaded into each program: counts the connections that the drop-in opened, as its diagnostics channel publishes them. */
'use strict'

const { subscribe } = require('node:diagnostics_channel')

const carried = { server: 0, client: 0 }
subscribe('hawser-ws:open', ({ socket }) => {
  carried[socket._isServer ? 'server' : 'client'] += 1
})
globalThis[Symbol.for('hawser.consumers.carried')] = carried
