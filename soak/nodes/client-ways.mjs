/**
 * The ways in which a connection of a client ends. Each has the `kind` of its row in the docs, the `path` that says what raw-server.mjs
 * does, and how it is to end: `code` of the close, or `fails`, where there is no connection. `act` is called with the open socket.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { withRare } from '../lib/script-file.mjs'

/** More than the buffers of the system take for a server that does not read. */
const BIG = Buffer.alloc(8 * 1024 * 1024, 0x2e)
const ignore = () => undefined
/** A handler that runs until its connection is over. */
const untilGone = ({ signal }) => (signal.aborted ? undefined : once(signal, 'abort').then(ignore))

const ways = (kind, list) => list.map(([name, path, how]) => ({ kind, name, path, ...how }))
const refused = (weight = 3, more = {}) => ({ fails: true, weight, ...more })

export const CLIENT_WAYS = withRare([
  ...ways('closing handshake', [
    ['by the client, 1000', '/echo', { code: 1000, weight: 6, act: (socket) => void socket.close(1000) }],
    ['by the client, no code', '/echo', { code: 1005, weight: 3, act: (socket) => void socket.close() }],
    [
      'by the client, 4321 and a reason',
      '/echo',
      { code: 4321, weight: 3, act: (socket) => void socket.close(4321, 'a reason') },
    ],
    [
      'by the client after an echo',
      '/echo',
      {
        ...{ code: 1000, weight: 6 },
        act: async (socket) => {
          socket.send('hello')
          await socket.receive()
          void socket.close(1000)
        },
      },
    ],
    [
      'by the client after a compressed message',
      '/compressed',
      {
        ...{ code: 1000, weight: 3 },
        act: async (socket) => {
          await socket.receive()
          void socket.close(1000)
        },
      },
    ],
    ['by the server, 1000', '/close', { code: 1000, weight: 6 }],
    ['by the server, 4000', '/close-4000', { code: 4000, weight: 3 }],
    ['by the server, no code', '/close-empty', { code: 1005, weight: 3 }],
    ['by both at once', '/close', { code: 1000, weight: 3, act: (socket) => void socket.close(1001) }],
    [
      'by the client, not answered',
      '/mute',
      { code: 1006, weight: 1, act: (socket) => void socket.close(1000) },
    ],
    ['by a client that reconnected', '/flaky', { code: 1000, weight: 1, reconnects: true }],
    [
      'by the WebSocket of browsers',
      '/echo',
      { code: 1000, weight: 3, isBrowser: true, act: (socket) => socket.close(1000) },
    ],
  ]),
  ...ways('FIN, reset or terminate while open', [
    ['terminate', '/echo', { code: 1006, weight: 4, act: (socket) => socket.terminate() }],
    [
      'terminate with messages on their way',
      '/echo',
      {
        ...{ code: 1006, weight: 3 },
        act: (socket) => {
          for (let i = 0; i < 3; i++) socket.send('hello')
          socket.terminate()
        },
      },
    ],
    ['FIN', '/fin', { code: 1006, weight: 4 }],
    ['reset', '/reset', { code: 1006, weight: 4 }],
    ['reset after a message of the server', '/message-reset', { code: 1006, weight: 3 }],
    ['FIN with messages that nobody has read', '/few-fin', { code: 1006, weight: 2 }],
    [
      'terminate with a queue that is full',
      '/messages-fin',
      {
        ...{ code: 1006, weight: 1 },
        act: async (socket) => {
          await sleep(5)
          socket.terminate()
        },
      },
    ],
    [
      'reset after a message of the client',
      '/reset-later',
      { code: 1006, weight: 3, act: (socket) => void socket.send('hello') },
    ],
    ['reset at the WebSocket of browsers', '/reset', { code: 1006, weight: 2, isBrowser: true }],
  ]),
  ...ways('in the handshake', [
    ['reset before the head', '/before-reset', refused()],
    ['FIN before the head', '/before-fin', refused()],
    ['reset in the head', '/head-reset', refused()],
    ['FIN in the head', '/head-fin', refused()],
    ['not within its time', '/silent', refused(1, { options: { handshakeTimeoutMs: 60 } })],
    ['aborted before', '/silent', refused(2, { aborts: 0 })],
    ['aborted while it waits', '/silent', refused(2, { aborts: 4 })],
    ['no server', 'closed', refused(2)],
  ]),
  ...ways('refused upgrade', [
    ['403', '/403', refused()],
    ['503', '/503', refused(2)],
    ['redirected', '/redirect', refused(2)],
    [
      'redirected, followed',
      '/redirect',
      { code: 1000, weight: 2, options: { redirects: 1 }, act: (socket) => void socket.close(1000) },
    ],
    ['a malformed head', '/malformed', refused()],
    ['a head that is too long', '/long', refused(2)],
    ['a wrong Sec-WebSocket-Accept', '/wrong-accept', refused()],
    ['a subprotocol that was not offered', '/not-offered', refused()],
  ]),
  ...ways('in a frame or a message', [
    ['FIN in a header', '/header-fin', { code: 1006, weight: 3 }],
    ['reset in a payload', '/payload-reset', { code: 1006, weight: 3 }],
    ['reset in a fragmented message', '/fragments-reset', { code: 1006, weight: 3 }],
    ['FIN in a fragmented message', '/fragments-fin', { code: 1006, weight: 3 }],
    ['reset in a compressed message', '/compressed-reset', { code: 1006, weight: 3 }],
  ]),
  ...ways('violations and limits', [
    ['a frame with a mask', '/masked', { code: 1002, weight: 3 }],
    ['a reserved bit', '/reserved-bit', { code: 1002, weight: 2 }],
    ['bad UTF-8', '/bad-text', { code: 1007, weight: 2 }],
    ['a message that is too large', '/large', { code: 1009, weight: 2 }],
    ['a bomb', '/bomb', { code: 1009, weight: 2 }],
  ]),
  ...ways('timeouts', [
    ['idle', '/echo', { code: 1001, weight: 2, options: { idleTimeoutMs: 30 } }],
    ['heartbeat', '/mute', { code: 1006, weight: 1 }],
    ['output that nobody takes', '/deaf', { code: 1006, weight: 1, act: (socket) => void socket.send(BIG) }],
  ]),
  ...ways('in handlers', [
    [
      'reset during onOpen',
      '/message-reset',
      // As long as it takes: a time could be over before the reset.
      { fails: true, weight: 3, handlers: { onOpen: untilGone, onMessage: ignore } },
    ],
    [
      'a handler throws',
      '/message-reset',
      {
        weight: 2,
        handlers: {
          onError: ignore,
          onMessage: () => {
            throw new Error('in onMessage')
          },
        },
      },
    ],
    [
      'reset while a handler waits for the signal',
      '/message-reset',
      {
        code: 1006,
        weight: 2,
        handlers: { onMessage: untilGone },
      },
    ],
    [
      'reset while receive() waits',
      '/reset-later',
      { code: 1006, weight: 3, act: (socket) => (socket.send('x'), socket.receive().catch(ignore)) },
    ],
    [
      'FIN in a loop over the messages',
      '/messages-fin',
      {
        ...{ code: 1006, weight: 2 },
        act: async (socket) => {
          try {
            for await (const message of socket) if (message !== 'hello') throw new Error('another message')
          } catch (error) {
            if (error.name !== 'ConnectionClosedError') throw error
          }
        },
      },
    ],
  ]),
  ...ways('while output waits', [
    [
      'terminate',
      '/deaf',
      {
        ...{ code: 1006, weight: 1 },
        act: async (socket) => {
          socket.send(BIG)
          await sleep(10)
          socket.terminate()
        },
      },
    ],
    ['reset', '/deaf-reset', { code: 1006, weight: 1, act: (socket) => void socket.send(BIG) }],
    [
      'reset while write() waits',
      '/deaf-reset',
      { code: 1006, weight: 1, act: (socket) => socket.write(BIG).catch(ignore) },
    ],
  ]),
])
