/**
 * Where Hawser has to be, as data: by row, the least ratio to `ws` (with both of its native add-ons) and to Bun, and to a
 * bare handle of Node's (`handle`), side by side in one run. Above 1 Hawser is better, also where less is better. `aim` is
 * what the effort aims at. `newest` has the floors that differ on the newest Node. `slack` is how far below a row may come
 * before it counts, where the floor is to be level: the noise of a good run. `atMost` bounds the figure itself: by that of
 * another contender and so much more, or by a value. A floor holds for both ways to reply, where both are measured. `dropIn`
 * is the least ratio of the drop-in for `ws` to Hawser itself.
 */
const DROP_IN = 0.9
const LEVEL = { ws: 1, slack: 0.05 }
const LARGE = { ws: 1.05, bun: 0.75, aim: { ws: 1.3, bun: 1 } }
const DEFLATE = { ws: 4.5, bun: 1.15, aim: { ws: 7 } }
/** At most a bare socket, or one with TLS. */
const IDLE = { bun: 0.6, atMost: { contender: 'net', plus: 0 } }

export const FLOORS = {
  'echo, 32 B, 1 in flight': {
    ...{ ws: 1.25, bun: 0.7, handle: 0.95, newest: { bun: 0.85 }, dropIn: DROP_IN },
    aim: { ws: 1.4, bun: 0.95 },
  },
  // Aimed at beside these: at most 0.85 of the processor time a message that it took on 2026-11-28. No floor, for
  // the time of another machine is another one: compare `cpuMicros` in the results of one machine.
  'echo, 32 B, 16 in flight': { ws: 8, bun: 0.85, dropIn: DROP_IN, aim: { ws: 12, bun: 1.1 } },
  'echo, 100 B, 16 in flight': { ws: 9, bun: 0.88, aim: { ws: 12, bun: 1.1 } },
  'echo, 1 KiB, 1 in flight': { ws: 1.4, bun: 0.85, aim: { ws: 1.7, bun: 1 } },
  'echo, 1 KiB text, not ASCII': { ws: 1.3, bun: 0.8, aim: { ws: 1.6, bun: 1 } },
  'echo, 16 KiB binary': LEVEL,
  'echo, 64 KiB binary': { ws: 1.1, bun: 0.9, dropIn: DROP_IN, aim: { ws: 1.3, bun: 1.1 } },
  'echo, 1 MiB binary': LARGE,
  'echo, 1 MiB text': LARGE,
  'echo, 16 MiB binary': LARGE,
  'echo, 16 MiB text': LARGE,
  'echo, 64 KiB in 4 fragments': { ws: 1.1, bun: 0.8, aim: { ws: 1.3 } },
  'echo, 4 KiB in 1024 fragments': { ws: 2, bun: 0.3, aim: { ws: 4 } },

  'deflate echo, 128 B': DEFLATE,
  'deflate echo, 1 KiB, 4 in flight': { ...DEFLATE, ws: 5.5 },
  'deflate echo, 64 KiB, 2 in flight': { ...DEFLATE, ws: 2.2, aim: { ws: 3 } },
  'deflate echo, 128 B, context kept': DEFLATE,
  'deflate echo, 1 KiB, 4 in flight, context kept': { ...DEFLATE, ws: 5.5 },
  'deflate echo, 64 KiB, 2 in flight, context kept': { ...DEFLATE, ws: 2.2, aim: { ws: 3 } },

  'fan-out, 1000 conns, 1 in flight': { ws: 1.3, bun: 0.75, aim: { ws: 1.5 } },
  'fan-out, 1000 conns, 16 in flight': { ws: 16, bun: 1, aim: { ws: 22, bun: 1.3 } },
  handshakes: { ws: 1.4, bun: 0.5, aim: { ws: 1.8 } },

  'idle memory': IDLE,
  'idle memory, deflate': IDLE,
  'idle memory, TLS': IDLE,

  'client, 32 B, 16 in flight': { ws: 9, bun: 7 },
  'client, 64 KiB, 1 in flight': { ws: 1.8, bun: 1 },

  'TLS echo, 32 B, 1 in flight': { ws: 1.3, aim: { ws: 1.5 } },
  'TLS echo, 32 B, 16 in flight': { ws: 2.5, aim: { ws: 3 } },
  'TLS echo, 64 KiB binary': { ws: 1.05, aim: { ws: 1.3 } },

  'Autobahn 12 and 13, whole time': { ws: 2, aim: { ws: 4 } },

  // Counts, nearly the same in each run (Node 20, 2026-11: 221 B, 2841 B and 3970): a change that costs more shows here
  // first. A text of 1 KiB is a string and a frame; that of ws is a view, and becomes a string where it is read. Of the 221
  // each message of 16 has 32 for the part of a string that it is, 41 for that string, 40 for its event, 30 and 35 for
  // putting the texts of the replies together. Each by itself took 137, and twice the time: strings and encodings one by one
  // allocate 32 in place of 95, in 69 ns in place of 33; `join` in place of `+` takes 74, in 37 ns.
  'allocated, echo of 32 B': { ws: 2, atMost: { value: 240 } },
  'allocated, echo of 1024 B': { atMost: { value: 3000 } },
  'instructions, echo of 32 B': { atMost: { value: 4300 } },

  // Nothing is slower than ws anywhere.
  'fan-out, 200 conns, 1 in flight': LEVEL,
  'client, 32 B, 1 in flight': LEVEL,
  'one message each, 10000 conns': LEVEL,
}

/** The floors of a row on one of the Nodes (`this`, `newest`). */
export function floorOf(name, node, floors = FLOORS) {
  const floor = floors[name]
  if (floor === undefined) return undefined
  const { newest, ...rest } = floor
  return node === 'newest' ? { ...rest, ...newest } : rest
}

/**
 * Why a row is below its floor, by its name: what limits it, as it was measured, and what was tried. The tables show it
 * beside each row that is below; a row without a reason does not pass the tests.
 */
const COPIES =
  'At commit 55ad93c a message was unmasked in JavaScript, copied out of the read buffer, and copied again into what is written. Since then WebAssembly unmasks it, and a server sends it without a copy.'
const TEXT =
  'The application gets a string, ws gives bytes: each message is decoded and its reply encoded, which is most of the time that Hawser takes more than for bytes. Node alone takes 5.5 ms to make a string of 16 MiB of ASCII, and 1.8 to write it (Node 26: 5.8 and 1.8).'
const BUFFERS =
  'On Node 26 the bytes of Buffers count against the limit of the heap, about 20 MB while it is small. At commit 39b297b there were 20 to 30 full collections a second, where Node 20 has none; since then short ones come first, and one or two full ones are left of a run of 1.6 s.'
const BARE =
  "A bare echo at Node's handle, without WebSocket, takes 5.6 us of processor time, Hawser 6.7, Bun 4.5: most of what is missing to Bun is missing to Node."
const SHORT =
  "Of the processor time 35 % is the system's write, 9 % reading and polling. A bare echo at Node's handle takes half of Hawser's time for a message; on Node 26 ws writes faster than on Node 20."
const ZLIB =
  "Of the time 62 to 65 % is zlib's own: its handles alone take 19.7 us for 1 KiB, Hawser's codec 24.2. Levels, windows, memLevel and fixed codes were tried. Bun has another zlib, whose replies are larger: 377 bytes, Hawser's 272."

const OBJECTS =
  'Protocol, socket and transport of a connection have 1307 B on the heap of Node 26, with deflate 1461 (measured before a sender became 32 B smaller), and a bare net.Socket 1053: it has no protocol. What is resident beyond that are pages that V8 keeps. At commit 52d0c58 a peer that answers no ping, as those of this row, cost 256 B more after the first; since then 152.'

export const REASONS = {
  'echo, 32 B, 1 in flight': BARE,
  'echo, 32 B, 16 in flight': `${SHORT} At commit 52d0c58 returned replies were encoded one by one (0.64 us, by send 0.57); since then together (0.59).`,
  'echo, 100 B, 16 in flight': SHORT,
  'echo, 1 KiB, 1 in flight': BARE,
  'echo, 1 KiB text, not ASCII':
    "The application gets a string, ws gives bytes: to decode it takes 0.88 us, to encode the reply 0.97, of which Node's utf8Write is 0.75. At commit 55ad93c Node 20 decoded it, in five times the time.",
  'echo, 64 KiB binary': COPIES,
  'echo, 1 MiB binary': COPIES,
  'echo, 1 MiB text': `${TEXT} ${COPIES}`,
  'echo, 16 MiB binary': COPIES,
  'echo, 16 MiB text': `${TEXT} Of the server's time 23 % is memmove on Node 26, where ws has 10 %: the string and its encoding are two copies more. Node keeps such a string outside the young heap, by whichever of its decoders (latin1, ascii, utf8, TextDecoder), so that a full collection alone frees it.`,
  'echo, 64 KiB in 4 fragments': `${BUFFERS} ${COPIES}`,
  'echo, 4 KiB in 1024 fragments':
    'At commit 55ad93c each fragment was an object; since then one call of WebAssembly joins those of a chunk.',
  'deflate echo, 128 B': ZLIB,
  'deflate echo, 128 B, context kept': ZLIB,
  'deflate echo, 1 KiB, 4 in flight': ZLIB,
  'deflate echo, 1 KiB, 4 in flight, context kept': ZLIB,
  'fan-out, 1000 conns, 1 in flight':
    "The kernel's write to loopback is 83 % of the server's time, the waking of the reader among it. To a reader that never sleeps a bare write at Node's handle takes 3.7 us, C 3.4, Bun 3.6, ws 5.5.",
  'fan-out, 1000 conns, 16 in flight':
    "One write of 2 KiB for each connection: 4.1 us at Node's bare handle, 3.6 in C, 4.5 in Bun. Beside the write 0.1 us for each member is left.",
  handshakes:
    "A bare handle that answers a fixed 101 takes 22 us, as Bun does; Hawser 41 to 50. Of its time 40 % is the write, 7 % closing, 5 % Node's error for the reset, 3 % SHA-1, 3 % the collector.",
  'idle memory': OBJECTS,
  'idle memory, deflate': OBJECTS,
  'idle memory, TLS':
    "A connection is a TLS socket of Node's, which has 4.8 KB on the heap, with 1.3 KB of protocol, socket and transport on top (ws: 2.0). Resident it has 42 to 49 KB on Node 26 from one run to another, ws 43 to 46.",
  'client, 32 B, 16 in flight':
    "At Node's handle, to write the same frames again at each read takes 0.58 us of a message, with strings and masking 0.61, Hawser 0.81, ws 5.9: the system's write and read are most of it.",
  'client, 64 KiB, 1 in flight':
    "Bun's server, the peer of all clients, takes 48 us for each echo: 20 k/s at most. A client that only counts bytes at Node's handle reaches 19.7 k; with strings and masking it takes 0.9 of Hawser's time.",
  'Autobahn 12 and 13, whole time':
    'In seven of the cases the suite itself takes 16.4 s of processor time with Hawser, which takes 8.2; ws takes 12.4, with 19.2 of the suite: a server that took no time at all would be at 1.9 x ws. Of both groups whole on the AMD EPYC 25-1-1 the suite takes some 70 % of a core in both cases.',
  'allocated, echo of 32 B':
    'The bound is our own. Within one run it is 222 to 265 from one window of 6,400 messages to the next, by when V8 compiles and by where a part of a string is cut; the median of five windows counts.',
  'instructions, echo of 32 B':
    'The bound is our own. At commit 52d0c58 each queue called another object to see whether a message to all is put off, which V8 did not inline; since then it takes 4014 on the Intel Xeon. Another processor takes other ways through the C library.',
  'TLS echo, 32 B, 1 in flight':
    "An echo at the handle of node:tls, without WebSocket, took 10 to 15 us in six runs by hand, Hawser 11 to 15, ws 12 to 21: it is at what TLS of Node leaves. Half of it is the kernel's: its write wakes the peer.",
  'TLS echo, 32 B, 16 in flight':
    'It moves by more from one run to the next than is missing: of one day 2.9 and 3.8 x ws on Node 20, 1.8 and 3.2 on Node 26.',
  'TLS echo, 64 KiB binary': `Of 107 us on Node 20 35 are encryption, 24 the kernel, 17 copies; JavaScript is 9 %. ${BUFFERS} ${COPIES}`,
}
