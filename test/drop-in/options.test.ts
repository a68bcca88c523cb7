/** Options of other types than documented: what `ws` takes, the drop-in takes, and in the same way. */
import { once } from 'node:events'
import type { ClientOptions, PerMessageDeflateOptions, ServerOptions } from 'ws'
import { BOTH, closed, closeServer, connectRaw, listen, open, type Face } from './both.js'
import { thrown } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

/** The code with which a message of so many bytes ends a connection; 0: it was received. */
async function endOf(face: Face, options: object, byteLength: number): Promise<number> {
  const pair = await open(face, options)
  pair.accepted.on('error', () => undefined)
  const code = await new Promise<number>((resolve) => {
    pair.accepted.on('message', () => resolve(0))
    pair.client.on('close', resolve)
    pair.client.send(Buffer.alloc(byteLength))
  })
  await pair.close()
  return code
}

/** Whether a server with these options compresses a message of so many bytes, to a client that keeps no context. */
async function isCompressed(face: Face, perMessageDeflate: object, byteLength: number): Promise<boolean> {
  const server = await listen(face, {
    perMessageDeflate: { serverNoContextTakeover: true, ...perMessageDeflate } as PerMessageDeflateOptions,
  })
  server.on('connection', (socket) => socket.send('a'.repeat(byteLength)))
  const peer = await connectRaw(server, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')
  while (peer.received().length === 0) await once(peer.socket, 'data')
  const [first = 0] = peer.received()
  peer.socket.destroy()
  await closeServer(server)
  return (first & 0x40) !== 0
}

describe.each(BOTH)('options of %s', (_name, face) => {
  it.each([
    ['1000', 1000, 1001],
    [10.5, 10, 11],
    [2 ** 32 + 10, 10, 11],
  ])('takes the limit maxPayload: %p by its whole number of 32 bits', async (maxPayload, most, tooMany) => {
    expect(await endOf(face, { maxPayload }, most)).toBe(0)
    expect(await endOf(face, { maxPayload }, tooMany)).toBe(1009)
  })

  it.each([null, Number.NaN, 'many', -1, Infinity, 2 ** 31])(
    'takes maxPayload: %p as no limit',
    async (maxPayload) => {
      expect(await endOf(face, { maxPayload }, 5000)).toBe(0)
    },
  )

  it('takes maxFragments as text, and with a fraction', async () => {
    for (const maxFragments of ['2', 2.9]) {
      const pair = await open(face, { maxFragments } as unknown as ServerOptions)
      pair.accepted.on('error', () => undefined)
      const ended = once(pair.client, 'close')
      for (let sent = 0; sent < 3; sent++) pair.client.send('x', { fin: false })
      expect((await ended)[0]).toBe(1008)
      await pair.close()
    }
  })

  it.each([0, null])(
    'takes allowSynchronousEvents: %p as false, and skipUTF8Validation: 1 as true',
    async (no) => {
      const options = { allowSynchronousEvents: no, skipUTF8Validation: 1 }
      const server = await listen(face, options as unknown as ServerOptions)
      const both = new Promise<string[]>((resolve) => {
        const journal: string[] = []
        server.on('connection', (socket) => {
          socket.on('message', (data) => {
            journal.push((data as Buffer).toString('hex'))
            process.nextTick(() => {
              if (journal.push('tick') === 4) resolve(journal)
            })
          })
        })
      })
      const peer = await connectRaw(server)
      const frame = (byte: number): number[] => [0x81, 0x81, 0, 0, 0, 0, byte]
      peer.socket.write(Buffer.from([...frame(0xff), ...frame(0xfe)]))
      expect(await both).toEqual(['ff', 'tick', 'fe', 'tick'])
      peer.socket.destroy()
      await closeServer(server)
    },
  )

  it.each([
    ['1024', 1023, 1024],
    [1023.5, 1023, 1024],
  ])('compares perMessageDeflate.threshold: %p with the length', async (threshold, short, long) => {
    expect(await isCompressed(face, { threshold }, short)).toBe(false)
    expect(await isCompressed(face, { threshold }, long)).toBe(true)
  })

  it.each([-1, null, ''])('compresses all with the threshold %p', async (threshold) => {
    expect(await isCompressed(face, { threshold }, 20)).toBe(true)
  })

  it.each(['x', Number.NaN])('compresses nothing with the threshold %p', async (threshold) => {
    expect(await isCompressed(face, { threshold }, 5000)).toBe(false)
  })

  it.each([
    { level: 2.9, memLevel: 8.5 },
    { level: Number.NaN },
    { level: undefined, chunkSize: 64 },
    null,
    'x',
  ])('compresses with the zlibDeflateOptions %p', async (zlibDeflateOptions) => {
    expect(await isCompressed(face, { zlibDeflateOptions }, 5000)).toBe(true)
  })

  it('a client takes them as well', async () => {
    const options = { maxPayload: '1000', perMessageDeflate: { threshold: 'x' } } as unknown as ClientOptions
    const pair = await open(face, { perMessageDeflate: true }, options)
    pair.client.on('error', () => undefined)
    const received = once(pair.accepted, 'message')
    pair.client.send('text')
    expect(String((await received)[0])).toBe('text')
    const ended = closed(pair.client)
    pair.accepted.send('x'.repeat(1001))
    await ended
    await pair.close()
  })
})

describe.each(IMPLEMENTATIONS)('the classes of %s', (_name, { PerMessageDeflate, Receiver }) => {
  it('keep limits as whole numbers, and the threshold as it is', () => {
    const deflate = new PerMessageDeflate({ maxPayload: '10.5', threshold: null } as object)
    expect([deflate._maxPayload, deflate._threshold]).toEqual([10, null])
    const receiver = new Receiver({
      ...{ maxPayload: '7', maxFragments: 2.5, maxBufferedChunks: null, allowSynchronousEvents: null },
    } as object)
    expect([receiver._maxPayload, receiver._maxFragments, receiver._maxBufferedChunks]).toEqual([7, 2, 0])
  })
})

describe('options of zlib that it refuses', () => {
  const dropIn = (BOTH[1] as (typeof BOTH)[number])[1]
  const refused = [
    ['zlibDeflateOptions', 'level', 99, 'RangeError ERR_OUT_OF_RANGE'],
    ['zlibDeflateOptions', 'level', '3', 'TypeError ERR_INVALID_ARG_TYPE'],
    ['zlibDeflateOptions', 'memLevel', 0, 'RangeError ERR_OUT_OF_RANGE'],
    ['zlibDeflateOptions', 'strategy', 17, 'RangeError ERR_OUT_OF_RANGE'],
    ['zlibInflateOptions', 'chunkSize', 1, 'RangeError ERR_OUT_OF_RANGE'],
  ] as const

  it.each(refused)(
    '%s.%s: %p ends the constructor of the server and of the client',
    (group, name, value, kind) => {
      const options = { perMessageDeflate: { [group]: { [name]: value } } } as object
      const expected = `perMessageDeflate.${group}.${name}`
      for (const error of [
        thrown(() => new dropIn.Server({ ...options, port: 0 })),
        thrown(() => new dropIn('ws://127.0.0.1:1', options)),
      ]) {
        expect(error.split(':')[0]).toBe(kind)
        expect(error).toContain(expected)
      }
    },
  )
})
