/**
 * The program of an implementation whose API is that of browsers. Both functions stand alone: a page gets them as text.
 */

/** A `WebSocket` in either role. @returns what is reported at the end */
export function serveWebSocket(socket, { action, code, reason }, ping) {
  socket.binaryType = 'arraybuffer'
  return new Promise((resolve) => {
    let open = false
    const begin = () => {
      open = true
      if (action === 'ping') ping(socket, (payload) => socket.send(`pong ${payload}`))
      if (action === 'close') {
        if (code === undefined) socket.close()
        else socket.close(code, reason)
      }
    }
    if (socket.readyState === 1) begin()
    else socket.onopen = begin
    socket.onmessage = ({ data }) => socket.send(data)
    socket.onerror = () => {}
    socket.onclose = (event) => {
      resolve({ open, protocol: socket.protocol, closeCode: event.code, closeReason: event.reason })
    }
  })
}

/** A `WebSocketStream`. @returns what is reported at the end */
export async function serveStream(stream, { action, code, reason }) {
  // Who is refused has a reason in both promises.
  stream.closed.catch(() => {})
  let opened
  try {
    opened = await stream.opened
  } catch {
    return { open: false }
  }
  const closed = stream.closed.then(
    ({ closeCode, reason: closeReason }) => ({ closeCode, closeReason }),
    // Deno's rejects now and then where the server answered its Close frame as it should, ws as the server too.
    (error) => (action === 'close' ? {} : { error: String(error) }),
  )
  if (action === 'close') stream.close(code === undefined ? {} : { closeCode: code, reason })
  else await opened.readable.pipeTo(opened.writable, { preventClose: true }).catch(() => {})
  return { open: true, protocol: opened.protocol, ...(await closed) }
}
