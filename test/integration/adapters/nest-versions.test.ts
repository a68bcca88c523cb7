// slow: it starts two applications of NestJS, in a Node of their own
/** hawser/nest with NestJS 11, of which the other tests are, and with 12, which is of ES modules alone: one program for both. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort, installHawser, Program, root } from '../../helpers/doc-programs.js'

const PACKAGES = ['@nestjs/common', '@nestjs/core', '@nestjs/websockets', 'reflect-metadata', 'rxjs']

/** Which version runs, and then gateways as the guide has them: guards, promises, Observables, errors, rooms, two ports, the end. */
const PROGRAM = `
import 'reflect-metadata'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Module, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { SubscribeMessage, WebSocketGateway, WebSocketServer, WsException } from '@nestjs/websockets'
import { connect } from 'hawser'
import { HawserAdapter } from 'hawser/nest'
import { of } from 'rxjs'

const from = fileURLToPath(import.meta.resolve('@nestjs/core'))
console.log('NestJS', JSON.parse(readFileSync(new URL('package.json', 'file://' + from))).version.split('.')[0])

class Guard {
  canActivate(context) {
    return context.switchToWs().getData() !== 'forbidden'
  }
}

function makeGateway(...options) {
  class Gateway {
    afterInit(server) {
      console.log('init', server === this.server, typeof server.group)
    }
    handleConnection(client) {
      client.emit('welcome', client.socket.url)
    }
    handleDisconnect(client) {
      console.log('disconnected', client.rooms.length)
    }
    join(client, room) {
      client.join(room)
      return { event: 'joined', data: client.rooms }
    }
    say(client, [room, text]) {
      client.to(room).emit('said', text)
    }
    async later(_client, data) {
      return { event: 'later', data: data + 1 }
    }
    many() {
      return of({ event: 'many', data: 1 }, { event: 'many', data: 2 })
    }
    wrong() {
      throw new WsException('this is wrong')
    }
    guarded() {
      return { event: 'guarded', data: 'let in' }
    }
  }
  WebSocketServer()(Gateway.prototype, 'server')
  for (const event of ['join', 'say', 'later', 'many', 'wrong', 'guarded']) {
    const descriptor = Object.getOwnPropertyDescriptor(Gateway.prototype, event)
    if (event === 'guarded') UseGuards(Guard)(Gateway.prototype, event, descriptor)
    SubscribeMessage(event)(Gateway.prototype, event, descriptor)
  }
  WebSocketGateway(...options)(Gateway)
  return Gateway
}

const ownPort = Number(process.argv[2])
class App {}
Module({ providers: [makeGateway({ path: '/chat' }), makeGateway(ownPort, { path: '/own' })] })(App)
const app = await NestFactory.create(App, { logger: false })
app.useWebSocketAdapter(new HawserAdapter(app))
await app.listen(0, '127.0.0.1')
const { port } = app.getHttpServer().address()
for (const url of ['ws://127.0.0.1:' + port + '/chat', 'ws://127.0.0.1:' + ownPort + '/own']) {
  const [ada, bob] = [await connect(url), await connect(url)]
  const ask = async (socket, event, data) => {
    socket.sendJson({ event, data })
    return socket.receive()
  }
  console.log(await ada.receive(), await bob.receive())
  console.log(await ask(ada, 'join', 'dogs'), await ask(bob, 'join', 'dogs'))
  bob.sendJson({ event: 'say', data: ['dogs', 'woof'] })
  console.log(await ada.receive())
  console.log(await ask(ada, 'later', 1), await ask(ada, 'many'), await ada.receive())
  console.log(JSON.parse(await ask(ada, 'wrong')).data.message)
  console.log(await ask(ada, 'guarded', 'a'), JSON.parse(await ask(ada, 'guarded', 'forbidden')).data.message)
  await bob.close()
}
console.log((await connect('ws://127.0.0.1:' + port + '/none').catch((error) => error)).httpStatus)
await app.close()
console.log('closed')
`

const of = (url: string): readonly string[] => [
  `{"event":"welcome","data":"${url}"} {"event":"welcome","data":"${url}"}`,
  '{"event":"joined","data":["dogs"]} {"event":"joined","data":["dogs"]}',
  '{"event":"said","data":"woof"}',
  '{"event":"later","data":2} {"event":"many","data":1} {"event":"many","data":2}',
  'this is wrong',
  '{"event":"guarded","data":"let in"} Forbidden resource',
]

describe('The gateways of hawser/nest', () => {
  it.each([
    ['11', root],
    ['12', path.join(root, 'test/nest-12')],
  ])('work alike in NestJS %s', async (version, from) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-nest-'))
    try {
      installHawser(directory, PACKAGES, from)
      const file = path.join(directory, 'program.mjs')
      writeFileSync(file, PROGRAM)
      const { status, errors, lines } = await new Program(file, { args: [String(await freePort())] }).ended
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      const ends = lines.filter((line) => line.startsWith('disconnected'))
      expect(ends).toEqual(Array(4).fill('disconnected 0'))
      expect(lines.filter((line) => !line.startsWith('disconnected'))).toEqual([
        `NestJS ${version}`,
        'init true function',
        'init true function',
        ...of('/chat'),
        ...of('/own'),
        '404',
        'closed',
      ])
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it('are those of the example, which runs in NestJS 12 as well', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-nest-'))
    try {
      installHawser(directory, PACKAGES, path.join(root, 'test/nest-12'))
      const file = path.join(directory, 'nest.mjs')
      writeFileSync(file, readFileSync(path.join(root, 'examples/nest.mjs'), 'utf8'))
      const { status, errors, lines } = await new Program(file).ended
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines.length).toBeGreaterThan(3)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
