/**
 * Conversations between a server and a client, for the tests that disturb one at every byte (talk-world.ts). Each is the same in every
 * run, to the byte but for keys: an end sends when it opens, and when it heard something, and nothing depends on time.
 */
import { createHash } from 'node:crypto'
import {
  accept,
  reject,
  type Accept,
  type CloseInfo,
  type Reject,
  type Service,
  type Socket,
} from '../../src/index.js'
import { closeFrame, fragments, frame, KEY, OP } from './frame-builder.js'
import { acceptRaw, requestHead, type RawPeer } from './raw-peer.js'
import { showInfo } from './serving.js'

/** The payload of a ping of the heartbeat, and of its pong: a conversation has none of this length. */
export const HEARTBEAT_BYTES = 4

/** What an end does. */
export interface Script {
  opened?(end: End, socket: Socket): void
  /** After each line that the end heard, messages among them. */
  heard?(end: End, socket: Socket, line: string): void
}

const codeOf = (error: unknown): string =>
  (error as { readonly code?: string }).code ?? `no code: ${String(error)}`

const shown = (text: string): string =>
  text.length <= 40 ? text : createHash('sha1').update(text).digest('hex')

/** One end of a conversation, and all that its application was told. */
export class End {
  /** Messages, pings and pongs, in order; not the heartbeat's. */
  readonly lines: string[] = []
  /** The codes of the errors that `onError` got. */
  readonly errors: string[] = []
  /** What became of each promise: `pending`, `done`, or the code of the error. */
  readonly promises = new Map<string, string>()
  openCount = 0
  closeCount = 0
  info: CloseInfo | null = null
  /** The script called `close`. */
  callsClose = false
  socket: Socket | null = null
  private readonly changed: () => void

  /** @param changed called after everything that the end is told */
  constructor(changed: () => void) {
    this.changed = changed
  }

  /** How the connection ended, on one line; empty: it never opened, or has not ended. */
  get closing(): string {
    return this.info === null ? '' : showInfo(this.info)
  }

  /** Whether every promise is settled, and `onClose` was called if `onOpen` was. */
  get isSettled(): boolean {
    return this.closeCount >= this.openCount && ![...this.promises.values()].includes('pending')
  }

  /** Writes down what becomes of a promise. */
  follow(name: string, promise: Promise<unknown>): void {
    this.promises.set(name, 'pending')
    const settle = (result: string): void => {
      this.promises.set(name, result)
      this.changed()
    }
    promise.then(
      () => settle('done'),
      (error: unknown) => settle(codeOf(error)),
    )
  }

  /** Sends a message by `write`, and follows its promise. */
  write(socket: Socket, data: string | Buffer): void {
    this.follow(`write ${String(this.promises.size)}`, socket.write(data))
  }

  close(socket: Socket, code?: number, reason?: string): void {
    this.callsClose = true
    this.follow('close', socket.close(code, reason))
  }

  /** Handlers that write everything down, and do what the script says. */
  handlers({ opened, heard }: Script): Service<Socket> {
    const hear = (socket: Socket, line: string): void => {
      this.lines.push(line)
      heard?.(this, socket, line)
      this.changed()
    }
    return {
      onOpen: (socket) => {
        this.openCount++
        this.socket = socket
        this.follow('closed', socket.closed)
        opened?.(this, socket)
        this.changed()
      },
      onTextMessage: (socket, text) => hear(socket, `text ${shown(text)}`),
      onBinaryMessage: (socket, bytes) =>
        hear(socket, `bytes ${bytes.length} ${shown(bytes.toString('latin1'))}`),
      onPing: (socket, data) => {
        if (data.length !== HEARTBEAT_BYTES) hear(socket, `ping ${data.toString('latin1')}`)
      },
      onPong: (socket, data) => {
        if (data.length !== HEARTBEAT_BYTES) hear(socket, `pong ${data.toString('latin1')}`)
      },
      onError: (_, error) => {
        this.errors.push(codeOf(error))
        this.changed()
      },
      onClose: (_, info) => {
        this.closeCount++
        this.info = info
        this.changed()
      },
    }
  }
}

/** A conversation. */
export interface Talk {
  readonly name: string
  /** The script of each end; null: the end is by hand. */
  readonly server: Script | null
  readonly client: Script | null
  /** What the end by hand does: it gets the connection. What it throws is the end of it. */
  readonly byHand?: (peer: RawPeer, path: string) => Promise<void>
  /** Both ends offer permessage-deflate. */
  readonly isCompressed?: boolean
  /** The server decides on the upgrade later, and not at once. */
  readonly decidesLater?: boolean
  /** The server refuses the upgrade: no connection opens. */
  readonly isRefused?: boolean
  /** Its bytes take time: a line that stalls may be given up before all of them have come. */
  readonly takesTime?: boolean
  /** The client goes through a proxy (CONNECT), which the faults are before. */
  readonly isTunnelled?: boolean
}

/** Bytes that do not compress to nothing. */
export function noise(length: number, seed = 7): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff
    bytes[i] = state >> 16
  }
  return bytes
}

/** A script for the client: it closes once it heard this many lines. */
const closesAfter =
  (count: number, code: number, reason: string) =>
  (end: End, socket: Socket): void => {
    if (end.lines.length === count) end.close(socket, code, reason)
  }

/** Text, bytes of the lengths at which headers grow, a ping of each end; the client closes. */
const messages: Talk = {
  name: 'messages, pings, and a close by the client',
  server: {
    opened: (end, socket) => {
      end.write(socket, 'welcome')
      socket.ping('from the server')
      socket.send(noise(125))
    },
    heard: (_end, socket, line) => {
      if (line === 'text κόσμε') socket.send(noise(126))
      if (line.startsWith('bytes 126')) socket.send('the last')
    },
  },
  client: {
    opened: (end, socket) => {
      socket.send('κόσμε')
      socket.ping('from the client')
      end.write(socket, noise(125))
      end.write(socket, '')
      end.write(socket, noise(126))
    },
    heard: closesAfter(6, 1000, 'bye'),
  },
}

const SENTENCE = 'the quick brown fox jumps over the lazy dog; '

/** Messages that are compressed with the context of those before them; the server closes. */
const compressed: Talk = {
  name: 'compressed messages, and a close by the server',
  isCompressed: true,
  server: {
    opened: (end, socket) => {
      end.write(socket, SENTENCE.repeat(4))
      socket.send(SENTENCE.repeat(3))
    },
    heard: (end, socket, line) => {
      if (end.lines.length === 1) socket.send(`${SENTENCE}heard: ${line}, ${SENTENCE}`)
      if (end.lines.length === 3) end.close(socket, 4001, 'enough')
    },
  },
  client: {
    opened: (end, socket) => {
      socket.send(SENTENCE.repeat(5))
      end.write(socket, noise(100))
    },
    heard: (end, socket) => {
      if (end.lines.length === 3) socket.send(`${SENTENCE.repeat(2)}the last`)
    },
  },
}

/** A Close frame without a code: 1005 for the other end. */
const withoutCode: Talk = {
  name: 'a close without a code by a server that decided later',
  decidesLater: true,
  server: {
    opened: (_end, socket) => void socket.send('first'),
    heard: (end, socket) => end.close(socket),
  },
  client: { heard: (end, socket) => end.write(socket, 'second') },
}

/** Lengths at which the header of a frame grows the second time: to be disturbed at the borders. */
const long: Talk = {
  name: 'long messages',
  server: {
    opened: (end, socket) => {
      end.write(socket, noise(65_535))
      end.write(socket, noise(65_536))
    },
  },
  client: {
    opened: (end, socket) => {
      end.write(socket, noise(65_536))
      end.write(socket, noise(65_535))
    },
    heard: closesAfter(2, 1000, 'done'),
  },
}

/** More than all the small buffers between the two ends hold, both ways at once. */
export const bulk: Talk = {
  name: 'more than the buffers hold',
  takesTime: true,
  server: {
    opened: (end, socket) => {
      for (const length of [300_000, 70_000, 200_000, 10]) end.write(socket, noise(length))
    },
  },
  client: {
    opened: (end, socket) => {
      for (const length of [150_000, 70_000, 250_000, 11]) end.write(socket, noise(length))
    },
    heard: closesAfter(4, 1000, 'done'),
  },
}

/** Two messages in fragments, a ping between those of the first. */
const fragmented = (key?: typeof KEY): Buffer[] => {
  const keyed = key === undefined ? {} : { key }
  return [
    frame({ opcode: OP.TEXT, fin: false, payload: 'in ', ...keyed }),
    frame({ opcode: OP.PING, payload: 'between', ...keyed }),
    frame({ opcode: OP.CONTINUATION, fin: false, payload: [0xce], ...keyed }),
    frame({ opcode: OP.CONTINUATION, payload: [0xba, 0x21], ...keyed }),
    fragments(OP.BINARY, [noise(3), '', noise(130)], keyed),
  ]
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Writes pieces so that an undisturbed line does not join them. */
async function writeApart(peer: RawPeer, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    for (let i = 0; i < 4; i++) await turn()
    peer.write(piece)
  }
}

/** Fragments go to a server. */
const toServer: Talk = {
  name: 'fragments with a ping between to a server',
  server: {
    heard: (end, socket) => {
      if (end.lines.length === 3) socket.send('got both')
    },
  },
  client: null,
  byHand: async (peer, path) => {
    peer.write(requestHead(path))
    await peer.readHead()
    await writeApart(peer, fragmented(KEY))
    while ((await peer.readFrame()).text !== 'got both');
    peer.write(closeFrame(1001, 'away', { key: KEY }))
    await peer.readToClose()
    await peer.ended()
  },
}

/** Fragments go to a client. */
const toClient: Talk = {
  name: 'fragments with a ping between to a client',
  server: null,
  client: { heard: closesAfter(3, 3000, 'got both') },
  byHand: async (peer) => {
    await acceptRaw(peer)
    await writeApart(peer, fragmented())
    await peer.readToClose()
    peer.write(closeFrame(3000, 'so be it'))
  },
}

const refused: Talk = { name: 'a refused upgrade', isRefused: true, server: {}, client: {} }

const tunnelled: Talk = {
  name: 'a tunnel through a proxy',
  isTunnelled: true,
  server: {
    opened: (_end, socket) => void socket.send('welcome'),
    heard: (_, socket, line) => void socket.send(line),
  },
  client: { opened: (_end, socket) => void socket.send('hello'), heard: closesAfter(2, 1000, 'bye') },
}

/** The short ones: to be disturbed at every byte. */
export const TALKS = { messages, compressed, withoutCode, toServer, toClient, refused, tunnelled } as const
export { long }

/** What the server of a conversation makes of an upgrade. */
export async function decide({ isRefused }: Talk): Promise<Accept<undefined> | Reject> {
  // Bytes, a FIN and a RST may come meanwhile.
  for (let i = 0; i < 3; i++) await turn()
  return isRefused === true ? reject(403, 'not for you') : accept()
}
