/** RFC 9112 section 9.3.2: which answer of a connection comes before that to an upgrade. */
import { once } from 'node:events'
import { createServer, ServerResponse, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { isNativeOn } from '../../../src/native/native-switch.js'
import { canSeePendingResponse, isKeptAtSocket } from '../../../src/native/pending-response.js'
import {
  followRequests,
  owedAnswer,
  watchOwedAnswers,
  type OwedAnswer,
} from '../../../src/server/pipelining.js'
import { openRaw, requestHead } from '../../helpers/raw-peer.js'

describe.each<readonly [name: string, find: () => OwedAnswer]>([
  ['by the way that is chosen in this process', () => (watchOwedAnswers(), owedAnswer)],
  ['by the channel of node:http, which is used where Node keeps it elsewhere', followRequests],
])('the answer owed, %s', (_, choose) => {
  it('is that to each earlier request in turn, then none, and never that to the upgrade itself', async () => {
    const find = choose()
    const responses: ServerResponse[] = []
    const http = createServer((__, response) => responses.push(response))
    const upgraded = new Promise<[IncomingMessage, Duplex]>((resolve) => {
      http.once('upgrade', (request, socket) => resolve([request, socket]))
    })
    await once(http.listen(0, '127.0.0.1'), 'listening')
    const peer = await openRaw((http.address() as AddressInfo).port)
    const plain = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    peer.write(plain, plain, requestHead())
    const [request, socket] = await upgraded
    socket.on('error', () => undefined)
    expect(find(socket, request)).toBe(responses[0])
    // The second waits for the first.
    responses[1]?.end()
    expect(find(socket, request)).toBe(responses[0])
    const closed = once(responses[1] as ServerResponse, 'close')
    responses[0]?.end()
    await closed
    expect(find(socket, request)).toBeNull()
    const own = new ServerResponse(request)
    own.assignSocket(socket as never)
    expect(find(socket, request)).toBeNull()
    peer.socket.destroy()
    http.close()
    http.closeAllConnections()
  })
})

it('this Node keeps the response at the socket, where src/native sees it if and only if it is on', () => {
  expect(isKeptAtSocket()).toBe(true)
  expect(canSeePendingResponse()).toBe(isNativeOn)
})
