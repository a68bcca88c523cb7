/**
 * A chat as a gateway of NestJS, with rooms. Needs `@nestjs/common`, `core`, `websockets` and `platform-express`. After `npm run build`:
 *
 *   node examples/nest.mjs
 *
 * Decorators are called as functions here, because JavaScript does not have them; in TypeScript they stand before what they decorate.
 */
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { SubscribeMessage, WebSocketGateway, WebSocketServer, WsException } from '@nestjs/websockets'
import { connect } from 'hawser'
import { HawserAdapter } from 'hawser/nest'

class Chat {
  handleConnection(client) {
    client.emit('welcome', client.socket.query.get('name'))
  }

  join(client, room) {
    if (typeof room !== 'string' || room === '') throw new WsException('say which room')
    client.join(room)
    return { event: 'joined', data: { room, size: this.server.group(room).size } }
  }

  say(client, { room, text }) {
    client.to(room).emit('said', { from: client.socket.query.get('name'), text })
  }
}
WebSocketGateway({ path: '/chat', limits: { maxMessageBytes: 64 * 1024 } })(Chat)
WebSocketServer()(Chat.prototype, 'server')
for (const name of ['join', 'say']) {
  SubscribeMessage(name)(Chat.prototype, name, Object.getOwnPropertyDescriptor(Chat.prototype, name))
}

class App {}
Module({ providers: [Chat] })(App)

const app = await NestFactory.create(App, { logger: false })
app.useWebSocketAdapter(new HawserAdapter(app))
await app.listen(0)
const url = `ws://localhost:${app.getHttpServer().address().port}/chat`

const ada = await connect(`${url}?name=ada`)
const bob = await connect(`${url}?name=bob`)
for (const socket of [ada, bob]) {
  console.log(await socket.receive())
  socket.sendJson({ event: 'join', data: 'dogs' })
  console.log(await socket.receive())
}
bob.sendJson({ event: 'say', data: { room: 'dogs', text: 'woof' } })
console.log(await ada.receive())
bob.sendJson({ event: 'join', data: '' })
console.log(await bob.receive())

// Closes the connections with 1001.
await app.close()
