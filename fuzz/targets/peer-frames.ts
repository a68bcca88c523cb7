/** What peers send, for inputs to begin with: the examples of RFC 6455 5.7 and RFC 7692 7.2.3, and what is wrong by a little. */
import {
  closeFrame,
  fragments,
  frame,
  frameHeader,
  frames,
  hex,
  KEY,
  OP,
  type MaskingKey,
} from '../../test/helpers/frame-builder.js'

/** Masks nothing: a change of an input is then a change of the payload. */
const PLAIN_KEY: MaskingKey = [0, 0, 0, 0]

/** Streams of frames as a client sends them, or as a server does. */
export function peerStreams(sender: 'client' | 'server'): readonly Buffer[] {
  const keys = sender === 'client' ? [KEY, PLAIN_KEY] : [undefined]
  return keys.flatMap((key) => {
    const masked = key === undefined ? {} : { key }
    return [
      frame({ opcode: OP.TEXT, payload: 'Hello', ...masked }),
      fragments(OP.TEXT, ['Hel', 'lo'], masked),
      frame({ opcode: OP.PING, payload: 'Hello', ...masked }),
      frame({ opcode: OP.PONG, payload: 'Hello', ...masked }),
      frame({ opcode: OP.BINARY, payload: Buffer.alloc(256, 7), ...masked }),
      frame({ opcode: OP.TEXT, payload: 'κόσμε 𝄞 \u{10ffff}', ...masked }),
      fragments(OP.TEXT, [[0xce], [0xba, 0xe1, 0xbd], [0xb9]], masked),
      frame({ opcode: OP.TEXT, payload: [0xf4, 0x90, 0x80, 0x80], ...masked }),
      frame({ opcode: OP.TEXT, rsv1: true, payload: hex('f2 48 cd c9 c9 07 00'), ...masked }),
      frames(
        { opcode: OP.TEXT, rsv1: true, payload: hex('f2 48 cd c9 c9 07 00'), ...masked },
        { opcode: OP.TEXT, rsv1: true, payload: hex('f2 00 11 00 00'), ...masked },
      ),
      fragments(OP.TEXT, [hex('f2 48 cd'), hex('c9 c9 07 00')], { rsv1: true, ...masked }),
      Buffer.concat([
        frame({ opcode: OP.TEXT, payload: 'a', fin: false, ...masked }),
        frame({ opcode: OP.PING, payload: 'p', ...masked }),
        frame({ opcode: OP.CONTINUATION, payload: 'b', ...masked }),
        closeFrame(1000, 'bye', masked),
      ]),
      frames(
        ...Array.from({ length: 12 }, (_, i) => ({ opcode: OP.TEXT, payload: `message ${i}`, ...masked })),
      ),
      frames(...Array.from({ length: 5 }, () => ({ opcode: OP.BINARY, payload: [1, 2, 3], ...masked }))),
      fragments(
        OP.BINARY,
        Array.from({ length: 20 }, () => [1]),
        masked,
      ),
      closeFrame(undefined, '', masked),
      closeFrame(1005, '', masked),
      closeFrame(3999, 'κόσμε', masked),
      ...[125, 126, 127].map((length) =>
        frame({ opcode: OP.BINARY, payload: Buffer.alloc(length), ...masked }),
      ),
      frameHeader({ opcode: OP.BINARY, announce: 65_535, ...masked }),
      frameHeader({ opcode: OP.BINARY, announce: 65_536, ...masked }),
      frame({ opcode: OP.TEXT, payload: 'x', lengthForm: 16, ...masked }),
      frame({ opcode: OP.TEXT, payload: 'x', lengthForm: 64, ...masked }),
      frameHeader({ opcode: OP.BINARY, announce: 2n ** 63n, ...masked }),
      frameHeader({ opcode: OP.BINARY, announce: 100_000_000, ...masked }),
      frame({ opcode: 3, ...masked }),
      frame({ opcode: OP.PING, fin: false, ...masked }),
      frame({ opcode: OP.TEXT, rsv2: true, ...masked }),
    ]
  })
}
