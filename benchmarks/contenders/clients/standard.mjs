/** Opens connections with a class as the WHATWG defines it. */
export const openWith = (WebSocket) => (url, onText, onLost) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.onmessage = ({ data }) => onText(data)
    socket.onopen = () => resolve((text) => socket.send(text))
    socket.onerror = () => reject(new Error('no connection'))
    socket.onclose = onLost
  })
