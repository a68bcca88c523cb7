/** Both implementations of the classes that stand for themselves: each case runs over `ws` and over the drop-in. */
import { EventEmitter } from 'node:events'
import * as ws from 'ws'
import { defineEventTarget } from '../../packages/ws/src/event-target.js'
import { extension } from '../../packages/ws/src/extension.js'
import { PerMessageDeflate } from '../../packages/ws/src/permessage-deflate.js'
import { Receiver } from '../../packages/ws/src/receiver.js'
import { Sender } from '../../packages/ws/src/sender.js'
import dropIn from '../../packages/ws/src/index.js'
import { createWebSocketStream } from '../../packages/ws/src/stream.js'
import { subprotocol } from '../../packages/ws/src/subprotocol.js'

/** What `ws` exports. */
export interface Implementation {
  readonly WebSocket: unknown
  readonly WebSocketServer: unknown
  readonly PerMessageDeflate: typeof PerMessageDeflate
  readonly Receiver: typeof Receiver
  readonly Sender: typeof Sender
  readonly createWebSocketStream: typeof createWebSocketStream
  readonly extension: typeof extension
  readonly subprotocol: typeof subprotocol
  /** An emitter with the events and attributes of a WebSocket. */
  readonly Target: new () => Target
}

/** An emitter with addEventListener and the attributes of a WebSocket. */
export interface Target extends EventEmitter {
  _closeFrameReceived?: boolean
  _closeFrameSent?: boolean
  onopen: unknown
  onmessage: unknown
  onclose: unknown
  onerror: unknown
  addEventListener(type: string, handler: unknown, options?: { once?: boolean }): void
  removeEventListener(type: string, handler: unknown): void
}

/** `ws` has its events on the prototype of its WebSocket: here they are on a plain emitter. */
class TargetOfWs extends EventEmitter {}
const members = Object.getOwnPropertyDescriptors(ws.WebSocket.prototype) as Record<string, PropertyDescriptor>
for (const name of ['addEventListener', 'removeEventListener', 'onopen', 'onmessage', 'onclose', 'onerror']) {
  Object.defineProperty(TargetOfWs.prototype, name, members[name] as PropertyDescriptor)
}

class TargetOfDropIn extends EventEmitter {}
defineEventTarget(TargetOfDropIn.prototype)

const exportsOfWs = ws as unknown as Implementation

export const IMPLEMENTATIONS: readonly (readonly [name: string, implementation: Implementation])[] = [
  ['ws', { ...exportsOfWs, Target: TargetOfWs as unknown as new () => Target }],
  [
    'the drop-in',
    {
      WebSocket: dropIn.WebSocket,
      WebSocketServer: dropIn.WebSocketServer,
      PerMessageDeflate,
      Receiver,
      Sender,
      createWebSocketStream,
      extension,
      subprotocol,
      Target: TargetOfDropIn as unknown as new () => Target,
    },
  ],
]
