import { accept, reject, WebSocketServer, type ServerOptions } from 'hawser'

export const CHAT_PROTOCOL = 'chat.hawser'
/** What the paths of rooms begin with: `/chat/` and the room's name, percent-encoded; the query has `name`. */
export const CHAT_PATH = '/chat/'

/** The messages to the page, as JSON text. The page sends plain text, and each text is a message. */
export type ChatEvent =
  | { readonly kind: 'welcome' | 'joined' | 'left'; readonly name: string; readonly people: number }
  | { readonly kind: 'said'; readonly name: string; readonly text: string; readonly isOwn?: true }

/** In characters, of rooms and of people. */
const MAX_NAME_LENGTH = 32
const MAX_MESSAGE_BYTES = 4 * 1024

/** Letters of any script, without invisible characters and without blanks at the ends. */
const isName = (text: string): boolean =>
  text.length >= 1 &&
  text.length <= MAX_NAME_LENGTH &&
  text.trim() === text &&
  !/[\p{C}\p{Zl}\p{Zp}]/u.test(text)

/** A chat: each room is a group, and exists while it has members. */
export function createChat(origins: NonNullable<ServerOptions['origins']>): WebSocketServer {
  const server = new WebSocketServer({
    origins,
    protocols: [CHAT_PROTOCOL],
    maxConnections: 256,
    limits: { maxMessageBytes: MAX_MESSAGE_BYTES },
  })
  const tell = (room: string, event: ChatEvent): void => {
    server.group(room).send(JSON.stringify(event))
  }
  server.route(`${CHAT_PATH}:room`, {
    onUpgrade: ({ params, query }) => {
      const name = query.get('name') ?? ''
      return isName(name) && isName(params.room)
        ? accept({ data: name })
        : reject(400, `a room and a name have 1 to ${String(MAX_NAME_LENGTH)} characters\n`)
    },
    onOpen: (socket) => {
      const { room } = socket.params
      const people = server.group(room).size + 1
      tell(room, { kind: 'joined', name: socket.data, people })
      socket.join(room)
      socket.send(JSON.stringify({ kind: 'welcome', name: socket.data, people } satisfies ChatEvent))
    },
    onTextMessage: (socket, text) => {
      const event: ChatEvent = { kind: 'said', name: socket.data, text }
      socket.group(socket.params.room).send(JSON.stringify(event), { except: socket })
      return JSON.stringify({ ...event, isOwn: true } satisfies ChatEvent)
    },
    onClose: (socket) => {
      // The connection has left the group already, and the group is gone if it was the last member.
      const { room } = socket.params
      tell(room, { kind: 'left', name: socket.data, people: server.group(room).size })
    },
  })
  return server
}
