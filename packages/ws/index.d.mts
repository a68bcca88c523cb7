// The types of the drop-in for `import`: those of index.d.ts, as named exports.

import WebSocket = require('./index.js')

export import AddressInfo = WebSocket.AddressInfo
export import CertMeta = WebSocket.CertMeta
export import ClientOptions = WebSocket.ClientOptions
export import CloseEvent = WebSocket.CloseEvent
export import Data = WebSocket.Data
export import ErrorEvent = WebSocket.ErrorEvent
export import Event = WebSocket.Event
export import EventListenerOptions = WebSocket.EventListenerOptions
export import FinishRequestCallback = WebSocket.FinishRequestCallback
export import MessageEvent = WebSocket.MessageEvent
export import PerMessageDeflateOptions = WebSocket.PerMessageDeflateOptions
export import RawData = WebSocket.RawData
export import ServerOptions = WebSocket.ServerOptions
export import VerifyClientCallbackAsync = WebSocket.VerifyClientCallbackAsync
export import VerifyClientCallbackSync = WebSocket.VerifyClientCallbackSync
export import WebSocketEventMap = WebSocket.WebSocketEventMap

export import createWebSocketStream = WebSocket.createWebSocketStream
export import extension = WebSocket.extension
export import PerMessageDeflate = WebSocket.PerMessageDeflate
export import Receiver = WebSocket.Receiver
export import Sender = WebSocket.Sender
export import Server = WebSocket.Server
export import subprotocol = WebSocket.subprotocol
export import WebSocketServer = WebSocket.WebSocketServer

export default WebSocket
export { WebSocket }
