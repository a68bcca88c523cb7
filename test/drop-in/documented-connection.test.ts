import * as net from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  endpointsOf,
  show,
  thrown,
  closeOf,
  errorOf,
  rawServer,
  switching,
  portOf,
  type Loose,
} from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

describe.each(IMPLEMENTATIONS)(
  'A connection as the documentation of ws describes it, of %s',
  (_name, api) => {
    const { WebSocket, createWebSocketStream, Sender } = api as Loose
    const { withServer, pair } = endpointsOf(api)

    it('websocket.close: code and reason reach the peer, and come back', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const a = closeOf(ws),
            b = closeOf(peer)
          ws.close(4000, 'bye')
          const st = ws.readyState
          return [st, await a, await b, ws.readyState, peer.readyState]
        })
      expect(await run()).toEqual([2, [4000, 'bye'], [4000, 'bye'], 3, 3])
    })

    it('websocket.close: without a code is 1005', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const a = closeOf(ws),
            b = closeOf(peer)
          peer.close()
          return [await a, await b]
        })
      expect(await run()).toEqual([
        [1005, ''],
        [1005, ''],
      ])
    })

    it('websocket.close: wrong arguments throw', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) => [
          thrown(() => ws.close(1004)),
          thrown(() => ws.close('1000')),
          thrown(() => ws.close(1000, 'a'.repeat(124))),
          ws.readyState,
        ])
      expect(await run()).toEqual([
        'TypeError: First argument must be a valid error code number',
        'TypeError: First argument must be a valid error code number',
        'RangeError: The message must not be greater than 123 bytes',
        1,
      ])
    })

    it('websocket.close: twice, and after the end, does nothing', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) => {
          const c = closeOf(ws)
          ws.close(1000)
          ws.close(1001)
          const r = await c
          ws.close()
          return [r]
        })
      expect(await run()).toEqual([[1000, '']])
    })

    it('websocket.close: while connecting is an error', async () => {
      const run = () =>
        withServer({}, async (_server, url) => {
          const ws = new WebSocket(url)
          const events: Loose[] = []
          ws.on('error', (e: Loose) => events.push(show(e)))
          const c = closeOf(ws)
          ws.close(1001)
          events.push(ws.readyState, await c)
          return events
        })
      expect(await run()).toEqual([
        'Error: WebSocket was closed before the connection was established',
        2,
        [1006, ''],
      ])
    })

    it('websocket.terminate: the peer sees 1006', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const a = closeOf(ws),
            b = closeOf(peer)
          ws.terminate()
          const st = ws.readyState
          return [st, await a, await b]
        })
      expect(await run()).toEqual([2, [1006, ''], [1006, '']])
    })

    it('websocket.terminate: while connecting is an error', async () => {
      const run = () =>
        withServer({}, async (_server, url) => {
          const ws = new WebSocket(url)
          const events: Loose[] = []
          ws.on('error', (e: Loose) => events.push(show(e)))
          const c = closeOf(ws)
          ws.terminate()
          events.push(ws.readyState, await c)
          return events
        })
      expect(await run()).toEqual([
        'Error: WebSocket was closed before the connection was established',
        2,
        [1006, ''],
      ])
    })

    it('a peer that ends TCP without a Close frame: 1006', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const a = closeOf(ws)
          peer._socket.end()
          return [await a]
        })
      expect(await run()).toEqual([[1006, '']])
    })

    it('messages that were received before the end are emitted before close', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          ws.on('message', (d: Loose) => events.push(String(d)))
          ws.on('close', (c: Loose) => events.push(c))
          for (let i = 0; i < 3; i++) peer.send(`m${i}`)
          peer.close(1000)
          await once(ws, 'close')
          return events
        })
      expect(await run()).toEqual(['m0', 'm1', 'm2', 1000])
    })

    it('options closeTimeout: a peer that does not answer is cut off', async () => {
      const run = () =>
        rawServer(
          (k) => switching(k),
          async (url) => {
            const ws = new WebSocket(url, { closeTimeout: 40 })
            await once(ws, 'open')
            const c = closeOf(ws)
            ws.close(1000)
            return [await c]
          },
        )
      expect(await run()).toEqual([[1006, '']])
    })

    it('websocket.send: text, bytes, numbers and others', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          const n = 12
          peer.on('message', (d: Loose, b: Loose) =>
            events.push([d.toString('latin1'), b, Buffer.isBuffer(d)]),
          )
          ws.send('té')
          ws.send(Buffer.from('b'))
          ws.send(new Uint8Array([99]))
          ws.send(new Uint8Array([100]).buffer)
          ws.send(new DataView(new Uint8Array([101]).buffer))
          ws.send(5)
          ws.send([102, 103])
          ws.send(new Blob(['h']))
          ws.send('')
          ws.send(Buffer.alloc(0))
          ws.send('x', { binary: true })
          ws.send(Buffer.from('y'), { binary: false })
          while (events.length < n) await sleep(2)
          return events
        })
      expect(await run()).toEqual([
        ['tÃ©', false, true],
        ['b', true, true],
        ['c', true, true],
        ['d', true, true],
        ['e', true, true],
        ['5', false, true],
        ['fg', true, true],
        ['h', true, true],
        ['', false, true],
        ['', true, true],
        ['x', true, true],
        ['y', false, true],
      ])
    })

    it('websocket.send: what has no bytes throws', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) =>
          [undefined, null, true, {}].map((v) => thrown(() => ws.send(v)).split(/[: ]/)[0]),
        )
      expect(await run()).toEqual(['nothing', 'nothing', 'TypeError', 'TypeError'])
    })

    it('websocket.send: the callback is called when it is written', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) => {
          const events: Loose[] = []
          await new Promise<Loose>((r) => ws.send('a', (e: Loose) => r(events.push(e ?? 'sent'))))
          await new Promise<Loose>((r) =>
            ws.send('a', { compress: true }, (e: Loose) => r(events.push(e ?? 'sent'))),
          )
          await new Promise<Loose>((r) => ws.send('a', undefined, (e: Loose) => r(events.push(e ?? 'sent'))))
          return events
        })
      expect(await run()).toEqual(['sent', 'sent', 'sent'])
    })

    it('websocket.send, ping and pong: throw while connecting', async () => {
      const run = () =>
        withServer({}, async (_server, url) => {
          const ws = new WebSocket(url)
          ws.on('error', () => {})
          const events: Loose[] = [
            thrown(() => ws.send('a')),
            thrown(() => ws.ping()),
            thrown(() => ws.pong()),
          ]
          await once(ws, 'open')
          ws.terminate()
          return events
        })
      expect(await run()).toEqual([
        'Error: WebSocket is not open: readyState 0 (CONNECTING)',
        'Error: WebSocket is not open: readyState 0 (CONNECTING)',
        'Error: WebSocket is not open: readyState 0 (CONNECTING)',
      ])
    })

    it('websocket.send, ping and pong: after the end the callback gets an error', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) => {
          ws.close()
          const events: Loose[] = [
            await new Promise<Loose>((r) => ws.send('abc', (e: Loose) => r(show(e)))),
            ws.bufferedAmount,
          ]
          await once(ws, 'close')
          for (const m of ['send', 'ping', 'pong'])
            events.push(
              await new Promise<Loose>((r) =>
                ws[m](
                  'a',
                  m === 'send' ? (e: Loose) => r(show(e)) : undefined,
                  m === 'send' ? undefined : (e: Loose) => r(show(e)),
                ),
              ),
            )
          events.push(ws.bufferedAmount)
          ws.send('a')
          return events
        })
      expect(await run()).toEqual([
        'Error: WebSocket is not open: readyState 2 (CLOSING)',
        3,
        'Error: WebSocket is not open: readyState 3 (CLOSED)',
        'Error: WebSocket is not open: readyState 3 (CLOSED)',
        'Error: WebSocket is not open: readyState 3 (CLOSED)',
        6,
      ])
    })

    it('websocket.send: fragments with fin false', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          peer.on('message', (d: Loose, b: Loose) => events.push([String(d), b]))
          ws.send('a', { fin: false })
          ws.ping()
          ws.send('b', { fin: false })
          ws.send('c', { fin: true })
          ws.send(Buffer.from('d'))
          while (events.length < 2) await sleep(2)
          return events
        })
      expect(await run()).toEqual([
        ['abc', false],
        ['d', true],
      ])
    })

    it('websocket.send: fragments, compressed', async () => {
      const run = () =>
        pair(
          { perMessageDeflate: { threshold: 0 } },
          { perMessageDeflate: { threshold: 0 } },
          [],
          async ({ ws, peer }) => {
            const events: Loose[] = [ws.extensions]
            peer.on('message', (d: Loose, b: Loose) => events.push([String(d), b]))
            ws.send('aaaa', { fin: false })
            ws.send('bbbb', { fin: true })
            ws.send('c', { compress: false })
            ws.send('aaaabbbb')
            while (events.length < 4) await sleep(2)
            return events
          },
        )
      expect(await run()).toEqual([
        'permessage-deflate',
        ['aaaabbbb', false],
        ['c', false],
        ['aaaabbbb', false],
      ])
    })

    it('websocket.send: many while compressing keep their order', async () => {
      const run = () =>
        pair(
          { perMessageDeflate: true },
          { perMessageDeflate: { threshold: 10 } },
          [],
          async ({ ws, peer }) => {
            const events: Loose[] = []
            peer.on('message', (d: Loose) => events.push(d.length))
            for (let i = 1; i <= 20; i++) ws.send('x'.repeat(i * 500))
            ws.send('end')
            while (events.length < 21) await sleep(2)
            return events
          },
        )
      expect(await run()).toEqual([
        500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 5500, 6000, 6500, 7000, 7500, 8000, 8500,
        9000, 9500, 10000, 3,
      ])
    })

    it('websocket.ping and pong: data, mask and callback in any place', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          peer.on('ping', (d: Loose) => events.push(`ping ${d}`))
          ws.on('pong', (d: Loose) => events.push(`pong ${d}`))
          peer.on('pong', (d: Loose) => events.push(`peer pong ${d}`))
          ws.ping(() => events.push('callback'))
          await sleep(20)
          ws.ping('a', true, () => events.push('callback'))
          await sleep(20)
          ws.pong(Buffer.from('b'))
          ws.ping(5)
          await sleep(20)
          events.push(thrown(() => ws.ping('a'.repeat(126))))
          return events.sort()
        })
      expect(await run()).toEqual([
        'RangeError: The data size must not be greater than 125 bytes',
        'callback',
        'callback',
        'peer pong b',
        'ping ',
        'ping 5',
        'ping a',
        'pong ',
        'pong 5',
        'pong a',
      ])
    })

    it('websocket.binaryType', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = [ws.binaryType]
          for (const t of ['arraybuffer', 'fragments', 'nodebuffer', 'blob', 'foo']) {
            ws.binaryType = t
            const m = once(ws, 'message')
            peer.send(Buffer.from('ab'))
            const [d, b] = await m
            events.push([ws.binaryType, d.constructor.name, b])
            const m2 = once(ws, 'message')
            peer.send('t')
            const [d2] = await m2
            events.push(d2.constructor.name)
          }
          return events
        })
      expect(await run()).toEqual([
        'nodebuffer',
        ['arraybuffer', 'ArrayBuffer', true],
        'Buffer',
        ['fragments', 'Array', true],
        'Buffer',
        ['nodebuffer', 'Buffer', true],
        'Buffer',
        ['blob', 'Blob', true],
        'Buffer',
        ['blob', 'Blob', true],
        'Buffer',
      ])
    })

    it('websocket.isPaused, pause and resume', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = [ws.isPaused]
          ws.on('message', (d: Loose) => events.push(String(d)))
          ws.pause()
          events.push(ws.isPaused)
          peer.send('a')
          await sleep(30)
          ws.resume()
          events.push(ws.isPaused)
          await sleep(30)
          return events
        })
      expect(await run()).toEqual([false, true, false, 'a'])
    })

    it('websocket.pause: does nothing while connecting and after the end', async () => {
      const run = () =>
        withServer({}, async (_server, url) => {
          const ws = new WebSocket(url)
          ws.pause()
          const events: Loose[] = [ws.isPaused]
          await once(ws, 'open')
          ws.terminate()
          await once(ws, 'close')
          ws.pause()
          events.push(ws.isPaused)
          return events
        })
      expect(await run()).toEqual([false, false])
    })

    it('websocket.pause: a close waits for resume', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          ws.on('message', (d: Loose) => events.push(String(d)))
          ws.on('close', (c: Loose) => events.push(c))
          ws.pause()
          peer.send('a')
          peer.close(1000)
          await sleep(30)
          events.push('resume')
          ws.resume()
          await once(ws, 'close')
          return events
        })
      expect(await run()).toEqual(['resume', 'a', 1000])
    })

    it('websocket.pause: in a listener does not keep back the end of a connection that is cut', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const heard: string[] = []
          ws.on('message', (data: Loose) => {
            heard.push(data.toString())
            ws.pause()
          })
          peer._socket.write(Buffer.from([0x81, 1, 0x61, 0x81, 1, 0x62]))
          while (heard.length === 0) await sleep(2)
          const closed = closeOf(ws)
          ws.terminate()
          return [await closed, heard]
        })
      expect(await run()).toEqual([
        [1006, ''],
        ['a', 'b'],
      ])
    })

    it('createWebSocketStream: destroyed while it holds the peer back, it is closed', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const stream = createWebSocketStream(ws, { readableHighWaterMark: 1 })
          const closed = new Promise((resolve) => stream.on('close', resolve))
          for (const text of ['abc', 'def', 'ghi']) peer.send(text)
          while (!ws.isPaused) await sleep(2)
          stream.destroy()
          await closed
          return ws.readyState
        })
      expect(await run()).toBe(3)
    })

    it('websocket.url, protocol, extensions', async () => {
      const run = () =>
        pair(
          { perMessageDeflate: true },
          {},
          ['p'],
          async ({ ws, peer, url }) => [
            ws.url === `${url}/`,
            ws.protocol,
            peer.protocol,
            ws.extensions,
            peer.extensions,
            peer.url,
          ],
          '/',
        )
      expect(await run()).toEqual([true, 'p', 'p', 'permessage-deflate', 'permessage-deflate', undefined])
    })

    it('websocket.readyState: constants on class and instance', async () => {
      const run = async () => [
        WebSocket.CONNECTING,
        WebSocket.OPEN,
        WebSocket.CLOSING,
        WebSocket.CLOSED,
        WebSocket.prototype.OPEN,
        Object.keys(WebSocket as object).slice(0, 4),
      ]
      expect(await run()).toEqual([0, 1, 2, 3, 1, ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']])
    })

    it('events of browsers: attributes and listeners with Event objects', async () => {
      const run = () =>
        withServer({}, async (server, url) => {
          const events: Loose[] = []
          server.on('connection', (c: Loose) => {
            c.send('t')
            c.send(Buffer.from('b'))
            c.close(1001, 'bye')
          })
          const ws = new WebSocket(url)
          ws.onopen = (e: Loose) => events.push([e.type, e.target === ws])
          ws.onmessage = function (e: Loose) {
            events.push([e.type, String(e.data), typeof e.data, this === ws])
          }
          ws.addEventListener('close', (e: Loose) => events.push([e.type, e.code, e.reason, e.wasClean]))
          await once(ws, 'close')
          const w2 = new WebSocket('ws://127.0.0.1:1')
          w2.onerror = (e: Loose) => events.push([e.type, e.error.code, e.message])
          w2.onclose = (e: Loose) => events.push([e.code, e.reason, e.wasClean])
          await new Promise<Loose>((r) => w2.addEventListener('close', r, { once: true }))
          return events
        })
      expect(await run()).toEqual([
        ['open', true],
        ['message', 't', 'string', true],
        ['message', 'b', 'object', true],
        ['close', 1001, 'bye', true],
        ['error', 'ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'],
        [1006, '', false],
      ])
    })

    it('options allowSynchronousEvents: true emits messages of one read together', async () => {
      const run = () =>
        pair({}, { allowSynchronousEvents: true }, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          ws.on('message', (d: Loose) => {
            events.push(String(d))
            queueMicrotask(() => events.push('micro'))
          })
          peer._socket.write(Buffer.from([0x81, 1, 97, 0x81, 1, 98]))
          await sleep(30)
          return events
        })
      expect(await run()).toEqual(['a', 'b', 'micro', 'micro'])
    })

    it('options allowSynchronousEvents: false gives each its turn', async () => {
      const run = () =>
        pair({}, { allowSynchronousEvents: false }, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          ws.on('message', (d: Loose) => {
            events.push(String(d))
            setImmediate(() => events.push('turn'))
          })
          peer._socket.write(Buffer.from([0x81, 1, 97, 0x81, 1, 98]))
          await sleep(30)
          return events
        })
      expect(await run()).toEqual(['a', 'turn', 'b', 'turn'])
    })

    it('options generateMask', async () => {
      const run = () =>
        withServer({}, async (server, url) => {
          const events: Loose[] = []
          const ws = new WebSocket(url, {
            generateMask: (m: Loose) => {
              events.push(m.length)
              m.fill(1)
            },
          })
          const [p] = await once(server, 'connection')
          await once(ws, 'open')
          const m = once(p, 'message')
          ws.send('a')
          events.push(String((await m)[0]))
          ws.terminate()
          return events
        })
      expect(await run()).toEqual([4, 'a'])
    })

    it('protocol errors of a peer: error with a code of ws, and the Close code', async () => {
      const run = () =>
        (async () => {
          const events: Loose[] = []
          for (const b of [
            [0xa1, 0],
            [0xc1, 0],
            [0x83, 0],
            [0x80, 0],
            [0x09, 0],
            [0x89, 126, 0, 126],
            [0x81, 0x80, 0, 0, 0, 0],
            [0x88, 1, 0],
            [0x88, 2, 0, 1],
            [0x81, 1, 0xff],
            [0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0],
            [0x82, 127, 0, 0, 0, 0, 0x10, 0, 0, 0],
          ])
            events.push(
              await pair(
                { perMessageDeflate: false },
                { perMessageDeflate: false },
                [],
                async ({ ws, peer }) => {
                  const e = errorOf(ws)
                  const c = closeOf(peer),
                    d = closeOf(ws)
                  peer._socket.write(Buffer.from(b))
                  return [await e, await c, await d]
                },
              ),
            )
          return events
        })()
      expect(await run()).toEqual([
        [
          'RangeError WS_ERR_UNEXPECTED_RSV_2_3: Invalid WebSocket frame: RSV2 and RSV3 must be clear',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_UNEXPECTED_RSV_1: Invalid WebSocket frame: RSV1 must be clear',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_INVALID_OPCODE: Invalid WebSocket frame: invalid opcode 3',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_INVALID_OPCODE: Invalid WebSocket frame: invalid opcode 0',
          [1002, ''],
          [1006, ''],
        ],
        ['RangeError WS_ERR_EXPECTED_FIN: Invalid WebSocket frame: FIN must be set', [1002, ''], [1006, '']],
        [
          'RangeError WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH: Invalid WebSocket frame: invalid payload length 126',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_UNEXPECTED_MASK: Invalid WebSocket frame: MASK must be clear',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH: Invalid WebSocket frame: invalid payload length 1',
          [1002, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_INVALID_CLOSE_CODE: Invalid WebSocket frame: invalid status code 1',
          [1002, ''],
          [1006, ''],
        ],
        [
          'Error WS_ERR_INVALID_UTF8: Invalid WebSocket frame: invalid UTF-8 sequence',
          [1007, ''],
          [1006, ''],
        ],
        [
          'RangeError WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: Unsupported WebSocket frame: payload length > 2^53 - 1',
          [1009, ''],
          [1006, ''],
        ],
        ['RangeError WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: Max payload size exceeded', [1009, ''], [1006, '']],
      ])
    })

    it('_sender.sendFrame writes frames that Sender.frame made, and calls back', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const events: Loose[] = []
          ws.on('message', (d: Loose, b: Loose) => events.push([String(d), b]))
          const f = Sender.frame(Buffer.from('hi'), {
            readOnly: false,
            mask: false,
            rsv1: false,
            opcode: 1,
            fin: true,
          })
          peer.send('before')
          await new Promise<Loose>((r) =>
            peer._sender.sendFrame(f, () => {
              events.push('callback')
              r(undefined)
            }),
          )
          peer.send('after')
          while (events.length < 4) await sleep(2)
          return [events.filter((x) => x !== 'callback'), events.includes('callback')]
        })
      expect(await run()).toEqual([
        [
          ['before', false],
          ['hi', false],
          ['after', false],
        ],
        true,
      ])
    })

    it('_socket answers as a net.Socket', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          ws._socket.setNoDelay(true)
          ws._socket.setKeepAlive(true)
          ws._socket.unref()
          ws._socket.ref()
          return [
            peer._socket.remoteAddress,
            peer._socket instanceof net.Socket,
            ws._socket.remotePort === peer._socket.localPort,
            ws._socket.destroyed,
          ]
        })
      expect(await run()).toEqual(['::ffff:127.0.0.1', true, true, false])
    })

    it('setSocket on a WebSocket without an address', async () => {
      const run = async () => {
        const server = net.createServer()
        server.listen(0)
        await once(server, 'listening')
        const c = net.connect(portOf(server))
        const [p] = await once(server, 'connection')
        const a = new WebSocket(null, undefined, { isServer: true })
        const b = new WebSocket(null, undefined, { isServer: false })
        b._isServer = false
        const events: Loose[] = []
        const o = { maxPayload: 0, skipUTF8Validation: false, allowSynchronousEvents: true }
        a.on('open', () => events.push('open'))
        a.setSocket(p, Buffer.alloc(0), o)
        b.setSocket(c, Buffer.alloc(0), o)
        const m = once(a, 'message')
        b.send('x')
        events.push(String((await m)[0]), a.readyState, a._isServer)
        b.terminate()
        server.close()
        return events
      }
      expect(await run()).toEqual(['open', 'x', 1, true])
    })

    it('memory of the peer: bufferedAmount falls to 0', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws }) => {
          const events: Loose[] = [ws.bufferedAmount]
          ws.send(Buffer.alloc(8 * 1024 * 1024))
          events.push(ws.bufferedAmount > 0)
          ws.send('x', () => {})
          while (ws.bufferedAmount > 0) await sleep(2)
          events.push(ws.bufferedAmount)
          return events
        })
      expect(await run()).toEqual([0, true, 0])
    })

    it('createWebSocketStream: an echo in both directions', async () => {
      const run = () =>
        withServer({}, async (server, url) => {
          server.on('connection', (c: Loose) => {
            const d = createWebSocketStream(c)
            d.pipe(d)
          })
          const d = createWebSocketStream(new WebSocket(url))
          const events: Loose[] = []
          for (const e of ['end', 'finish', 'close', 'error']) d.on(e, () => events.push(e))
          let n = 0
          d.on('data', (b: Loose) => {
            n += Number(b.length)
            if (n === 300000) d.end()
          })
          for (let i = 0; i < 30; i++) d.write(Buffer.alloc(10000))
          await new Promise<Loose>((r) => d.on('close', r))
          return [n, events]
        })
      expect(await run()).toEqual([300000, ['finish', 'end', 'close']])
    })

    it('createWebSocketStream: backpressure pauses the WebSocket', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const d = createWebSocketStream(ws, { readableHighWaterMark: 8 })
          peer.send(Buffer.alloc(8))
          peer.send(Buffer.alloc(8))
          await sleep(30)
          const events: Loose[] = [ws.isPaused]
          d.resume()
          await sleep(30)
          events.push(ws.isPaused)
          return events
        })
      expect(await run()).toEqual([true, false])
    })

    it('createWebSocketStream: destroyed, it terminates', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const d = createWebSocketStream(ws)
          const c = closeOf(peer)
          d.destroy()
          return [await c]
        })
      expect(await run()).toEqual([[1006, '']])
    })

    it('createWebSocketStream: an error of the peer', async () => {
      const run = () =>
        pair({}, {}, [], async ({ ws, peer }) => {
          const d = createWebSocketStream(ws)
          const c = closeOf(peer)
          const events: Loose[] = []
          d.on('error', (e: Loose) => events.push(show(e)))
          d.on('close', () => events.push('close'))
          d.resume()
          peer._socket.write(Buffer.from([0x85, 0]))
          events.push(await c)
          while (!events.includes('close')) await sleep(2)
          return [events.filter((x) => Array.isArray(x)), events.filter((x) => !Array.isArray(x))]
        })
      expect(await run()).toEqual([
        [[1002, '']],
        ['RangeError WS_ERR_INVALID_OPCODE: Invalid WebSocket frame: invalid opcode 5', 'close'],
      ])
    })
  },
)
