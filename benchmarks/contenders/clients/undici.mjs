// The WebSocket of undici.
import { WebSocket } from 'undici'
import { drive } from './shared.mjs'
import { openWith } from './standard.mjs'

await drive(openWith(WebSocket))
