/** Servers for tests, which are closed after each test, also after a failure. */
import {
  WebSocketServer,
  type CloseInfo,
  type ServerOptions,
  type ServerService,
  type Socket,
} from '../../src/index.js'
import type { Journal } from './journal.js'

const running = new Set<WebSocketServer>()

/** Cuts all that {@link serve} started; for afterEach. */
export function stopServing(): void {
  for (const server of running) server.terminate()
  running.clear()
}

/** Listens on a free port of 127.0.0.1, with one service at `/`. */
export async function serve<Data = unknown>(
  service: ServerService<Data>,
  options: ServerOptions = {},
): Promise<{ readonly server: WebSocketServer; readonly port: number; readonly url: string }> {
  const server = new WebSocketServer(options)
  server.route('/', service)
  running.add(server)
  const { port } = await server.listen(0, '127.0.0.1')
  return { server, port, url: `ws://127.0.0.1:${String(port)}/` }
}

export const showInfo = ({ code, reason, wasClean, initiator }: CloseInfo): string =>
  `closed ${code} ${reason === '' ? '' : `"${reason}" `}${wasClean ? 'clean' : 'unclean'} ${initiator}`

/** Handlers that record all calls; the given handlers replace them. */
export function journaling<S extends Socket>(
  journal: Journal,
): {
  onOpen(socket: S): void
  onMessage(socket: S, message: string | Buffer): void
  onPing(socket: S, data: Buffer): void
  onPong(socket: S, data: Buffer): void
  onError(socket: S, error: Error): void
  onClose(socket: S, info: CloseInfo): void
} {
  return {
    onOpen: () => journal.add('open'),
    onMessage: (_, message) =>
      journal.add(typeof message === 'string' ? `text ${message}` : `bytes ${message.toString('hex')}`),
    onPing: (_, data) => journal.add(`ping ${data.toString()}`),
    onPong: (_, data) => journal.add(`pong ${data.toString()}`),
    onError: (_, error) => journal.add(`error ${(error as { code?: string }).code ?? error.message}`),
    onClose: (_, info) => journal.add(showInfo(info)),
  }
}
