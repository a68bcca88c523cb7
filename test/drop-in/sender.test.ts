import { setImmediate as turn } from 'node:timers/promises'
import { IMPLEMENTATIONS } from './implementations.js'

type Write = readonly [data: string | Uint8Array, callback: ((error?: Error | null) => void) | undefined]

/** A socket that notes what is written. */
class RecordingSocket {
  destroyed = false
  corks = 0
  readonly writes: Write[] = []
  #waiting: (() => void)[] = []

  cork(): void {
    this.corks++
  }

  uncork(): void {
    this.corks--
  }

  write(data: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.writes.push([data, callback])
    process.nextTick(() => callback?.())
    for (const resolve of this.#waiting.splice(0)) resolve()
    return true
  }

  /** All that was written, as the peer gets it. */
  get bytes(): Buffer {
    return Buffer.concat(this.writes.map(([data]) => Buffer.from(data as Buffer)))
  }

  /** Resolves when so many bytes were written. */
  async received(bytes: number): Promise<Buffer> {
    while (this.bytes.length < bytes) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.bytes
  }
}

const MASK = Buffer.from([1, 2, 3, 4])
const generateMask = (mask: Buffer): void => void MASK.copy(mask)
const text = { binary: false, compress: false, fin: true, mask: false }
const binary = { ...text, binary: true }
const compressed = { ...text, compress: true }

describe.each(IMPLEMENTATIONS)('Sender of %s', (_name, { Sender, PerMessageDeflate }) => {
  const deflating = (options = {}, answer = {}): Record<string, unknown> => {
    const codec = new PerMessageDeflate({ threshold: 0, ...options })
    codec.accept([answer])
    return { [PerMessageDeflate.extensionName]: codec }
  }

  describe('frame', () => {
    it.each([
      [{ fin: true, opcode: 1 }, '8103'],
      [{ fin: false, opcode: 2 }, '0203'],
      [{ fin: true, opcode: 2, rsv1: true }, 'c203'],
      [{ fin: true, opcode: 2, readOnly: true }, '8203'],
      [{ fin: true, opcode: 0 }, '8003'],
    ])('gives header and payload for %j', (options, header) => {
      const data = Buffer.from('abc')
      const list = Sender.frame(data, options)
      expect(list).toHaveLength(2)
      expect(list[0]!.toString('hex')).toBe(header)
      expect(list[1]).toBe(data)
    })

    it.each([
      [125, '827d'],
      [126, '827e007e'],
      [65535, '827effff'],
      [65536, '827f0000000000010000'],
    ])('writes the length of %d bytes in its shortest form', (length, header) => {
      expect(Sender.frame(Buffer.alloc(length), { fin: true, opcode: 2 })[0]!.toString('hex')).toBe(header)
    })

    it('masks in place what may change', () => {
      const data = Buffer.from([5, 6, 7, 8, 9])
      const list = Sender.frame(data, { fin: true, opcode: 2, mask: true, generateMask })
      expect(Buffer.concat(list).toString('hex')).toBe('8285010203040404040c08')
      expect(list[1]).toBe(data)
    })

    it('masks a copy of what is read only', () => {
      const data = Buffer.from([5, 6, 7, 8, 9])
      const list = Sender.frame(data, { fin: true, opcode: 2, mask: true, generateMask, readOnly: true })
      expect(list.map((bytes) => bytes.toString('hex'))).toEqual(['8285010203040404040c08'])
      expect([...data]).toEqual([5, 6, 7, 8, 9])
    })

    it('leaves the payload alone where the mask is zero', () => {
      const data = Buffer.from('abc')
      const zero = (mask: Buffer): void => void mask.fill(0)
      const list = Sender.frame(data, {
        fin: true,
        opcode: 2,
        mask: true,
        generateMask: zero,
        readOnly: true,
      })
      expect(list.map((bytes) => bytes.toString('hex'))).toEqual(['828300000000', '616263'])
      expect(list[1]).toBe(data)
    })

    it('masks with random keys', () => {
      const keys = new Set<string>()
      for (let i = 0; i < 20; i++) {
        const frame = Buffer.concat(Sender.frame(Buffer.alloc(4), { fin: true, opcode: 2, mask: true }))
        expect(frame.subarray(2, 6)).toEqual(frame.subarray(6))
        keys.add(frame.toString('hex', 2, 6))
      }
      expect(keys.size).toBeGreaterThan(15)
    })

    it('encodes text', () => {
      expect(Buffer.concat(Sender.frame('aé', { fin: true, opcode: 1 })).toString('hex')).toBe('810361c3a9')
    })

    it('gives a header alone for an empty payload', () => {
      expect(Sender.frame(Buffer.alloc(0), { fin: true, opcode: 9 })).toEqual([Buffer.from([0x89, 0])])
    })
  })

  describe('sendFrame', () => {
    it('writes a list as it is, and calls back', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket)
      await new Promise<void>((resolve) =>
        sender.sendFrame(Sender.frame(Buffer.from('hi'), { fin: true, opcode: 1 }), () => resolve()),
      )
      expect(socket.bytes.toString('hex')).toBe('81026869')
      expect(socket.corks).toBe(0)
      sender.sendFrame([Buffer.from([0x89, 0])])
      expect(socket.bytes.toString('hex')).toBe('810268698900')
    })
  })

  describe('send', () => {
    it.each([
      ['text', 'hé', text, '810368c3a9'],
      ['an empty text', '', text, '8100'],
      ['a Buffer', Buffer.from('hi'), binary, '82026869'],
      ['a Buffer as text', Buffer.from('hi'), text, '81026869'],
      ['an ArrayBuffer', new Uint8Array([1, 2]).buffer, binary, '82020102'],
      ['a view', new Uint16Array([0x0201, 0x0403]).subarray(1), binary, '82020304'],
      ['an array', [1, 2, 3], binary, '8203010203'],
    ])('writes %s', async (_what, data, options, hex) => {
      const socket = new RecordingSocket()
      await new Promise<unknown>((resolve) => new Sender(socket).send(data, options, resolve))
      expect(socket.bytes.toString('hex')).toBe(hex)
    })

    it.each([
      ['a Buffer', Buffer.from([5, 6, 7])],
      ['a Uint8Array', new Uint8Array([5, 6, 7])],
      ['an ArrayBuffer', new Uint8Array([5, 6, 7]).buffer],
    ])('does not change %s that it masks', (_what, data) => {
      const socket = new RecordingSocket()
      new Sender(socket, {}, generateMask).send(data, { ...binary, mask: true })
      expect(socket.bytes.toString('hex')).toBe('828301020304040404')
      expect([...(data instanceof ArrayBuffer ? new Uint8Array(data) : data)]).toEqual([5, 6, 7])
    })

    it('throws for what has no bytes', () => {
      expect(() => new Sender(new RecordingSocket()).send(5, text)).toThrow(/Received type number/)
    })

    it('writes the fragments of a message, and then other messages', () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket)
      for (const [data, fin] of [
        ['a', false],
        ['b', false],
        ['c', true],
        ['d', true],
      ] as const) {
        sender.send(data, { ...text, fin })
      }
      expect(socket.bytes.toString('hex')).toBe('010161' + '000162' + '800163' + '810164')
    })

    it('compresses messages with the context of those before', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      sender.send('Hello', compressed)
      sender.send('Hello', compressed)
      expect((await socket.received(16)).toString('hex')).toBe('c107f248cdc9c90700' + 'c105f200110000')
    })

    it('compresses each fragment of a compressed message, and none of another', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      sender.send('Hel', { ...compressed, fin: false })
      sender.send('lo', { ...text, fin: true })
      sender.send('a', { ...text, fin: false })
      sender.send('b', { ...compressed, fin: true })
      const bytes = await socket.received(23)
      expect(bytes.toString('hex')).toBe('4109f248cd01000000ffff' + '8004cac90700' + '010161' + '800162')
    })

    it('leaves short messages alone where each is compressed by itself', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating({ threshold: 3 }, { client_no_context_takeover: [true] }))
      sender.send('hi', compressed)
      sender.send('hello', compressed)
      expect((await socket.received(13)).toString('hex')).toBe('81026869' + 'c107ca48cdc9c90700')
    })

    it('compresses short messages where the context is kept', async () => {
      const socket = new RecordingSocket()
      new Sender(socket, deflating({ threshold: 1024 })).send('hello', compressed)
      expect((await socket.received(9)).toString('hex')).toBe('c107ca48cdc9c90700')
    })

    it('keeps the order of all that is sent while a message is compressed', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      const order: string[] = []
      sender.send('hello', compressed, () => order.push('hello'))
      sender.ping('', false, () => order.push('ping'))
      sender.send('b', text, () => order.push('b'))
      sender.close(1000, '', false, () => order.push('close'))
      expect(sender._bufferedBytes).toBe(5 + 0 + 1 + 2)
      expect(socket.writes).toHaveLength(0)
      const bytes = await socket.received(18)
      expect(bytes.toString('hex')).toBe('c107ca48cdc9c90700' + '8900' + '810162' + '880203e8')
      await turn()
      expect(order).toEqual(['hello', 'ping', 'b', 'close'])
      expect(sender._bufferedBytes).toBe(0)
    })

    it('lets sendFrame pass what waits', () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      sender.send('hello', compressed)
      sender.sendFrame([Buffer.from([0x8a, 0])])
      expect(socket.bytes.toString('hex')).toBe('8a00')
    })

    it('takes many messages while one is compressed', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      const count = 5000
      await new Promise<void>((resolve) => {
        sender.send('first', compressed)
        for (let i = 1; i < count; i++) sender.send('x', text)
        sender.send('last', text, () => resolve())
      })
      expect(socket.bytes.subarray(-6).toString()).toBe('\ufffd\u0004last')
      expect(sender._bufferedBytes).toBe(0)
    })

    it('gives the error to all callbacks if the socket is destroyed meanwhile', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, deflating())
      const errors: (string | undefined)[] = []
      await new Promise<void>((resolve) => {
        sender.send('hello', compressed, (error) => errors.push(error?.message))
        sender.ping('', false, (error) => errors.push(error?.message))
        sender.send('b', text, (error) => resolve(void errors.push(error?.message)))
        socket.destroyed = true
      })
      expect(errors).toEqual(Array(3).fill('The socket was closed while data was being compressed'))
      expect(socket.writes).toHaveLength(0)
    })
  })

  describe('with a Blob', () => {
    it('sends its bytes, and all later calls after them', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket)
      sender.send(new Blob(['hi']), binary)
      expect(sender._bufferedBytes).toBe(2)
      sender.ping(new Blob(['p']), false)
      sender.send('x', text)
      expect(sender._bufferedBytes).toBe(4)
      expect((await socket.received(10)).toString('hex')).toBe('82026869' + '890170' + '810178')
      expect(sender._bufferedBytes).toBe(0)
    })

    it('compresses its bytes', async () => {
      const socket = new RecordingSocket()
      new Sender(socket, deflating()).send(new Blob(['hello']), { ...compressed, binary: true })
      expect((await socket.received(9)).toString('hex')).toBe('c207ca48cdc9c90700')
    })

    it('gives the error to the callback if the socket is destroyed meanwhile', async () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket)
      const error = await new Promise<Error | null | undefined>((resolve) => {
        sender.send(new Blob(['hi']), binary, resolve)
        socket.destroyed = true
      })
      expect(error?.message).toBe('The socket was closed while the blob was being read')
    })

    it('gives the error of a Blob that cannot be read to the callback and to onerror', async () => {
      const blob = new Blob(['hi'])
      blob.arrayBuffer = () => Promise.reject(new Error('gone'))
      const sender = new Sender(new RecordingSocket())
      const heard: string[] = []
      await new Promise<void>((resolve) => {
        sender.onerror = (error) => resolve(void heard.push(`onerror ${error.message}`))
        sender.send(blob, binary, (error) => heard.push(`callback ${String(error?.message)}`))
      })
      expect(heard).toEqual(['callback gone', 'onerror gone'])
    })
  })

  describe('ping, pong and close', () => {
    it('write control frames', () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket)
      sender.ping('a', false)
      sender.pong(Buffer.from('b'), false)
      sender.ping('', false)
      sender.close(undefined, undefined, false)
      sender.close(1000, undefined, false)
      sender.close(4000, 'bye', false)
      expect(socket.bytes.toString('hex')).toBe(
        '890161' + '8a0162' + '8900' + '8800' + '880203e8' + '88050fa0627965',
      )
    })

    it('mask them', () => {
      const socket = new RecordingSocket()
      const sender = new Sender(socket, {}, generateMask)
      sender.ping(Buffer.from([1, 2]), true)
      sender.close(1000, undefined, true)
      expect(socket.bytes.toString('hex')).toBe('8982010203040000' + '88820102030402ea')
    })

    it.each([['ping'], ['pong']] as const)('refuse a %s of more than 125 bytes', (method) => {
      const sender = new Sender(new RecordingSocket())
      const error = new RangeError('The data size must not be greater than 125 bytes')
      expect(() => sender[method](Buffer.alloc(126), false)).toThrow(error)
      expect(() => sender[method]('é'.repeat(63), false)).toThrow(error)
      expect(() => sender[method](new Blob(['a'.repeat(126)]), false)).toThrow(error)
    })

    it.each([1004, 1005, 1006, 1015, 999, 2999, 5000, '1000'])('refuse the close code %p', (code) => {
      expect(() => new Sender(new RecordingSocket()).close(code as number, '', false)).toThrow(
        new TypeError('First argument must be a valid error code number'),
      )
    })

    it('refuse a reason of more than 123 bytes', () => {
      expect(() => new Sender(new RecordingSocket()).close(1000, 'é'.repeat(62), false)).toThrow(
        new RangeError('The message must not be greater than 123 bytes'),
      )
    })
  })
})
