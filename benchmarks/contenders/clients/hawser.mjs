// Hawser's client, with handlers; compression off, as for the others.
import { drive } from './shared.mjs'

const { connect } = await import(process.env.HAWSER_ENTRY ?? '../../../dist/esm/index.js')

await drive(async (url, onText, onLost) => {
  const socket = await connect(url, {
    perMessageDeflate: false,
    handlers: {
      onTextMessage: (_, text) => {
        onText(text)
      },
      onClose: onLost,
    },
  })
  return (text) => socket.send(text)
})
