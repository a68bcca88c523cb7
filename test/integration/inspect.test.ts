/** What a log shows of the objects that the application gets: what it may use of them, and nothing of what is inside. */
import { inspect } from 'node:util'
import { connect, PreparedMessage, WebSocketServer, type ServerSocket } from '../../src/index.js'

describe('what console.log shows', () => {
  it('shows sockets, servers, routes, groups and named connections without their internals', async () => {
    const server = new WebSocketServer()
    const opened: ServerSocket[] = []
    const route = server.route('/a', {
      onOpen: (socket) => {
        opened.push(socket)
        socket.join('dogs')
        server.connections.set('ada', socket)
        socket.send('open')
      },
    })
    const { port } = await server.listen(0, '127.0.0.1')
    const client = await connect(`ws://127.0.0.1:${String(port)}/a`)
    await client.receive()
    const shown = [...opened, client, server, route, server.group('dogs'), server.connections, server.sockets]
    const lines = shown.map((object) =>
      inspect(object, { depth: 9, showHidden: true, breakLength: Infinity }),
    )
    const id = /id: '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'/
    expect(lines.map((line) => line.replaceAll(String(port), 'PORT').replace(id, 'ID'))).toEqual([
      "ServerSocket { readyState: 'open', ID, url: '/a', protocol: '', bufferedAmount: 0, remoteAddress: '127.0.0.1' }",
      "ClientSocket { readyState: 'open', ID, url: 'ws://127.0.0.1:PORT/a', protocol: '', bufferedAmount: 0, remoteAddress: '127.0.0.1' }",
      "WebSocketServer { connections: 1, address: { address: '127.0.0.1', family: 'IPv4', port: PORT } }",
      "Route { path: '/a', connections: 1 }",
      "Group { name: 'dogs', size: 1 }",
      'ConnectionRegistry { size: 1 }',
      'SocketList { size: 1 }',
    ])
    expect(inspect([client, server], { depth: 0 })).toBe('[ [ClientSocket], [WebSocketServer] ]')
    const info = await client.close(1000)
    expect(inspect(info, { breakLength: Infinity })).toBe(
      "CloseInfo { code: 1000, reason: '', wasClean: true, initiator: 'local', droppedMessages: 0, unsentBytes: 0 }",
    )
    await server.close()
  })

  it('shows the length of a prepared message, and not its bytes', () => {
    expect(inspect(new PreparedMessage('secret'))).toBe('PreparedMessage { byteLength: 6 }')
  })
})
