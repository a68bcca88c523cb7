// The WebSocket that the runtime has: that of Bun, or of Node from 22 on.
import { drive } from './shared.mjs'
import { openWith } from './standard.mjs'

await drive(openWith(globalThis.WebSocket))
