/** NestJS with its ws adapter: a gateway on the port of HTTP, by path, and one with a port of its own; the end of both. */
import 'reflect-metadata'
import { createServer } from 'node:net'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { WsAdapter } from '@nestjs/platform-ws'
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets'
import { from, map } from 'rxjs'
import WebSocket from 'ws'
import { close, digest, echoRate, listen, once, textOf, until, within } from '../lib/tools.mjs'

/** What the compiler of TypeScript writes for decorators of a method and its arguments. */
function decorate(type, method, decorators, parameters) {
  parameters.forEach((parameter, index) => parameter(type.prototype, method, index))
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method)
  for (const decorator of decorators) decorator(type.prototype, method, descriptor)
}

function makeGateway(seen, ...options) {
  class Gateway {
    handleConnection(client, request) {
      seen.push(`connection ${request.url} ${String(client.readyState)}`)
    }

    handleDisconnect(client) {
      seen.push(`disconnection ${String(client.readyState)}`)
    }

    echo(data) {
      return { event: 'echo', data }
    }

    several(data) {
      return from([1, 2, 3]).pipe(map((number) => ({ event: 'several', data: number * data })))
    }

    all(data, client) {
      for (const other of this.server.clients) {
        if (other !== client && other.readyState === WebSocket.OPEN)
          other.send(JSON.stringify({ event: 'all', data }))
      }
    }
  }
  WebSocketServer()(Gateway.prototype, 'server')
  decorate(Gateway, 'echo', [SubscribeMessage('echo')], [MessageBody()])
  decorate(Gateway, 'several', [SubscribeMessage('several')], [MessageBody()])
  decorate(Gateway, 'all', [SubscribeMessage('all')], [MessageBody(), ConnectedSocket()])
  WebSocketGateway(...options)(Gateway)
  return Gateway
}

async function freePort() {
  const server = createServer()
  const port = await listen(server)
  await close(server)
  return port
}

async function open(url) {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  return {
    socket,
    send: (event, data) => socket.send(JSON.stringify({ event, data })),
    next: async () => JSON.parse(String((await once(socket, 'message'))[0])),
  }
}

async function talk(url) {
  const [first, second] = [await open(url), await open(url)]
  const result = {}
  const answer = first.next()
  first.send('echo', { text: textOf(100_000) })
  result.echo = digest((await answer).data.text)
  const numbers = []
  const listener = (data) => numbers.push(JSON.parse(String(data)).data)
  first.socket.on('message', listener)
  first.send('several', 7)
  await until(() => numbers.length === 3, 'three answers')
  first.socket.off('message', listener)
  result.several = numbers
  const heard = second.next()
  first.socket.send('not JSON')
  first.send('unknown', 1)
  first.send('all', 'from the first')
  result.heard = await heard
  return { result, first, second }
}

export async function run({ figure }) {
  const seen = { http: [], own: [] }
  const port = await freePort()
  const gateways = [
    makeGateway(seen.http, { path: '/gateway' }),
    makeGateway(seen.own, port, { path: '/own' }),
  ]
  class AppModule {}
  Module({ providers: gateways })(AppModule)
  const app = await NestFactory.create(AppModule, { logger: false })
  app.useWebSocketAdapter(new WsAdapter(app))
  await app.listen(0, '127.0.0.1')
  const base = (await app.getUrl()).replace('http', 'ws')
  const http = await talk(`${base}/gateway`)
  const own = await talk(`ws://127.0.0.1:${String(port)}/own`)
  figure(
    'echoes a second',
    await echoRate({
      send: () => http.first.send('echo', 'a short text'),
      onAnswer: (answered) => http.first.socket.on('message', answered),
    }),
  )
  const refused = new WebSocket(`${base}/unknown`)
  const errors = []
  refused.on('error', ({ message }) => errors.push(message))
  const [code] = await once(refused, 'close')

  const ends = [http.second, own.first, own.second].map(({ socket }) => once(socket, 'close'))
  const ended = once(http.first.socket, 'close')
  http.first.socket.close(4_000, 'done')
  const closed = (await ended).map(String)
  await until(() => seen.http.some((line) => line.startsWith('disconnection')), 'the disconnection')
  await within(app.close(), 'the end of the application')
  return {
    http: http.result,
    own: own.result,
    refused: { code, errors },
    closed,
    ends: (await Promise.all(ends)).map(([end]) => end),
    seen,
  }
}
