/**
 * The ways in which a short connection to a server can end, as scripts. `kind` is the row of the docs. The paths are those of
 * nodes/ended-server.mjs; a way with `isPlain` needs no more than an echo at `/`, and is a part of the flood of connections that
 * come and go.
 */
import { withRare } from './script-file.mjs'
import {
  close,
  closeFrame,
  deaf,
  deflated,
  end,
  fin,
  frame,
  head,
  opened,
  openedWithDeflate,
  ping,
  read,
  request,
  reset,
  send,
  text,
  wait,
} from './steps.mjs'

const HELLO = text('hello')
const ECHO_BYTES = 'hello'.length + 2
const KIB = 1024

const HALF_HEAD = request('/').slice(0, 90)
const JSON_TEXT = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, name: `item ${id}` })))
const COMPRESSED = frame(0xc1, deflated(JSON_TEXT))
/** A thousand times as large inflated, and above `maxMessageBytes`. */
export const BOMB = frame(0xc2, deflated(Buffer.alloc(KIB * KIB)))
const half = (bytes) => bytes.subarray(0, bytes.length >> 1)

const ways = (kind, list) => list.map(([name, steps, more = {}]) => ({ kind, name, steps, ...more }))
const plain = { isPlain: true }
/** What takes long, or much, is rarer. */
const often = (weight, more = plain) => ({ weight, ...more })
/** Its buffer is small, so that output waits at the other end. */
const narrow = { receiveBuffer: 4 * KIB, weight: 1 }

/** So many bytes of a Close frame without a reason. */
const CLOSE_BYTES = 4

const closing = ways('closing handshake', [
  ['by the peer, 1000', opened('/', send(closeFrame(1000)), end(), close()), often(6)],
  ['by the peer, no code', opened('/', send(closeFrame()), end(), close()), often(3)],
  [
    'by the peer, 4321 and a reason',
    opened('/', send(closeFrame(4321, 'a reason')), end(), close()),
    often(3),
  ],
  [
    'by the peer after a message',
    opened('/', send(HELLO), read(ECHO_BYTES), send(closeFrame(1001)), end(), close()),
    often(6),
  ],
  ['all in one segment', [send(request('/'), HELLO, closeFrame(1000)), head(), end(), close()], often(3)],
  [
    'by the server',
    opened('/close', read(CLOSE_BYTES), send(closeFrame(4001)), end(), close()),
    { weight: 4 },
  ],
  ['by the server, not answered', opened('/close', end(), close()), { weight: 1 }],
  ['by both at once', opened('/close', send(closeFrame(1000)), end(), close()), { weight: 3 }],
  [
    'by the server after a message',
    opened('/close-later', send(HELLO), read(CLOSE_BYTES), send(closeFrame(1000)), end(), close()),
    { weight: 3 },
  ],
  ['by the server, reset in place of an answer', opened('/close', read(CLOSE_BYTES), reset()), { weight: 3 }],
  [
    'with a context of compression',
    openedWithDeflate(
      '/',
      send(COMPRESSED),
      read(2),
      send(COMPRESSED),
      read(2),
      send(closeFrame(1000)),
      end(),
      close(),
    ),
    often(3),
  ],
])

const cuts = ways('FIN, reset or terminate while open', [
  ['FIN after the handshake', opened('/', fin(), end(), close()), often(4)],
  ['FIN after a message', opened('/', send(HELLO), read(ECHO_BYTES), fin(), end(), close()), often(4)],
  ['reset after the handshake', opened('/', reset()), often(4)],
  ['reset after a message', opened('/', send(HELLO), read(ECHO_BYTES), reset()), often(4)],
  ['reset with a message on its way', opened('/', send(HELLO, HELLO, HELLO), reset()), often(4)],
  ['reset after a ping', opened('/', send(ping('x')), reset()), often(2)],
  ['closed with bytes unread', opened('/', send(HELLO, HELLO), wait(3), close()), often(2)],
  ['terminate when open', opened('/terminate', end(), close()), { weight: 4 }],
  ['terminate in a handler', opened('/terminate-later', send(HELLO), end(), close()), { weight: 4 }],
  ['in groups and with a name, reset', opened('/group', send(HELLO), read(1), reset()), { weight: 3 }],
  [
    'in groups and with a name, closed',
    opened('/group', send(closeFrame(1000)), end(), close()),
    { weight: 3 },
  ],
  ['paused, reset', opened('/pause', send(HELLO), wait(3), reset()), { weight: 1 }],
])

const handshakes = ways('in the handshake', [
  ['FIN at once', [fin(), end(), close()], often(4)],
  ['reset at once', [reset()], often(4)],
  ['FIN in the head', [send(HALF_HEAD), fin(), end(), close()], often(4)],
  ['reset in the head', [send(HALF_HEAD), reset()], often(4)],
  ['reset after the head', [send(request('/')), reset()], often(4)],
  ['reset while onUpgrade decides', [send(request('/decide')), wait(3), reset()], { weight: 3 }],
  ['FIN while onUpgrade decides', [send(request('/decide')), fin(), end(), close()], { weight: 3 }],
  ['not within its time', [send(HALF_HEAD), end(), close()], { weight: 1 }],
])

const refused = ways('refused upgrade', [
  ['403 by onUpgrade', [send(request('/reject')), head(403), close()], { weight: 3 }],
  ['403 by onUpgrade, reset', [send(request('/reject')), head(403), reset()], { weight: 3 }],
  ['404', [send(request('/nowhere')), head(0), close()], often(3)],
  [
    'a malformed head',
    [send(request('/').replace('Host: localhost', 'Host localhost')), head(0), close()],
    often(3),
  ],
  [
    'another version',
    [send(request('/').replace('Version: 13', 'Version: 8')), head(426), close()],
    often(3),
  ],
  [
    'a head that is too long',
    [send(request('/', `X: ${'x'.repeat(20 * KIB)}\r\n`)), end(), close()],
    often(1),
  ],
])

const inFrames = ways('in a frame or a message', [
  ['FIN in a header', opened('/', send(HELLO.subarray(0, 1)), fin(), end(), close()), often(3)],
  ['reset in a payload', opened('/', send(half(text('x'.repeat(2000)))), reset()), often(3)],
  ['FIN in a payload', opened('/', send(half(text('x'.repeat(2000)))), fin(), end(), close()), often(3)],
  ['reset in a fragmented message', opened('/', send(frame(0x01, 'a'), frame(0x00, 'b')), reset()), often(3)],
  [
    'FIN in a fragmented message',
    opened('/', send(frame(0x01, 'a'), frame(0x00, 'b')), fin(), end(), close()),
    often(3),
  ],
  [
    'closed in a fragmented message',
    opened('/', send(frame(0x01, 'a'), closeFrame(1000)), end(), close()),
    often(3),
  ],
  ['reset in a compressed message', openedWithDeflate('/', send(half(COMPRESSED)), reset()), often(3)],
  [
    'FIN in a compressed fragmented message',
    openedWithDeflate('/', send(frame(0x41, half(deflated(JSON_TEXT)))), fin(), end(), close()),
    often(3),
  ],
  ['reset after a compressed message', openedWithDeflate('/', send(COMPRESSED), reset()), often(3)],
])

const violations = ways('violations and limits', [
  ['a frame without a mask', opened('/', send(Buffer.of(0x81, 0x01, 0x61)), end(), close()), often(2)],
  ['a reserved bit', opened('/', send(frame(0xa1, 'a')), end(), close()), often(2)],
  ['a reserved opcode', opened('/', send(frame(0x83, 'a')), end(), close()), often(2)],
  ['a continuation of nothing', opened('/', send(frame(0x80, 'a')), end(), close()), often(2)],
  ['bad UTF-8', opened('/', send(frame(0x81, Buffer.of(0xc0, 0x80))), end(), close()), often(2)],
  ['a code that is not to be sent', opened('/', send(closeFrame(1005)), end(), close()), often(2)],
  ['a control frame of 126 bytes', opened('/', send(frame(0x89, 'p'.repeat(126))), end(), close()), often(2)],
  ['a message that is too large', opened('/', send(frame(0x82, '', 0x4000_0000)), end(), close()), often(2)],
  ['a bomb', openedWithDeflate('/', send(BOMB), end(), close()), often(2)],
  [
    'bytes that do not inflate',
    openedWithDeflate('/', send(frame(0xc1, Buffer.alloc(64, 0xff))), end(), close()),
    often(2),
  ],
  ['a quota', opened('/quota', send(HELLO, HELLO, HELLO), end(), close()), { weight: 2 }],
])

const timeouts = ways('timeouts', [
  ['idle', opened('/idle', read(CLOSE_BYTES), send(closeFrame(1001)), end(), close()), { weight: 2 }],
  ['heartbeat', opened('/', end(), close()), { weight: 1 }],
  ['output that nobody takes', opened('/output', send(HELLO), deaf(900), close()), narrow],
])

const handlers = ways('in handlers', [
  ['reset during onOpen', opened('/wait', send(HELLO), reset()), { weight: 3 }],
  ['FIN during onOpen', opened('/wait', send(HELLO), fin(), end(), close()), { weight: 3 }],
  ['closed during onOpen', opened('/wait', send(HELLO, closeFrame(1000)), end(), close()), { weight: 3 }],
  ['onOpen throws', opened('/throw-open', end(), close()), { weight: 2 }],
  ['a handler throws', opened('/throw', send(HELLO), end(), close()), { weight: 3 }],
  [
    'reset while a handler waits for the signal',
    opened('/signal', send(HELLO, HELLO), wait(3), reset()),
    { weight: 3 },
  ],
  [
    'reset while a handler streams its reply',
    opened('/stream', send(HELLO), read(8), reset()),
    { weight: 2 },
  ],
  [
    'closed while a handler streams its reply',
    opened('/stream', send(HELLO), read(8), send(closeFrame(1000)), end(), close()),
    { weight: 2 },
  ],
  [
    'messages that wait for a handler, reset',
    opened('/wait', send(...Array.from({ length: 100 }, () => HELLO)), wait(3), reset()),
    { weight: 2 },
  ],
])

const outputs = ways('while output waits', [
  ['reset', opened('/output', send(HELLO), deaf(20), reset()), narrow],
  ['terminate', opened('/output-terminate', send(HELLO), deaf(200), close()), narrow],
  ['reset while write() waits', opened('/write', send(HELLO), deaf(20), reset()), narrow],
  ['a slow consumer', opened('/much', send(HELLO), deaf(200), reset()), narrow],
])

export const WAYS = withRare([
  ...closing,
  ...cuts,
  ...handshakes,
  ...refused,
  ...inFrames,
  ...violations,
  ...timeouts,
  ...handlers,
  ...outputs,
])
