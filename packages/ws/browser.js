/* global module */
'use strict'

/** What a bundler for browsers takes: a browser has a WebSocket of its own. */
module.exports = function () {
  throw new Error('ws does not work in the browser. Browser clients must use the native WebSocket object')
}
