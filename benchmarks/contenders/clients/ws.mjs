// The client of ws; its messages are Buffers, and become strings as those of the others are.
import { WebSocket } from 'ws'
import { drive } from './shared.mjs'

await drive(
  (url, onText, onLost) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { perMessageDeflate: false })
      socket.on('message', (data) => onText(data.toString()))
      socket.on('open', () => resolve((text) => socket.send(text)))
      socket.on('error', reject)
      socket.on('close', onLost)
    }),
)
