/** Mistakes that the types of `ws` find. */
import WebSocket, { WebSocketServer, type MessageEvent } from 'ws'

const socket = new WebSocket('ws://localhost')
// @ts-expect-error -- the address is a string, a URL or null
export const wrong = new WebSocket(5)
// @ts-expect-error -- the state is read only
socket.readyState = 1
// @ts-expect-error -- there is no such type of binary messages
socket.binaryType = 'text'
// @ts-expect-error -- the code is a number
socket.close('1000')
// @ts-expect-error -- the callback of ping gets an error, never a number
socket.ping('a', true, (error: number) => error)
// @ts-expect-error -- there is no such event
socket.addEventListener('ping', () => undefined)
// @ts-expect-error -- the port is a number
export const server = new WebSocketServer({ port: '80' })
// @ts-expect-error -- there is no such option
export const options = new WebSocketServer({ ports: 80 })
// @ts-expect-error -- the handler of 'close' gets a CloseEvent
socket.onclose = (event: MessageEvent) => event.data
