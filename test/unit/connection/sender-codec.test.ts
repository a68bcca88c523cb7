/** What a sender asks of the codec in use, and what it counts while the codec works. */
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { Sender } from '../../../src/connection/sender.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { readFrames, type WireFrame } from '../../helpers/frame-builder.js'
import { factory, json, noise, TAKEOVER } from '../deflate/codec-pair.js'

const IDLE = { wake: (): void => undefined }

function take(sender: Sender): readonly WireFrame[] {
  const taken: Buffer[] = []
  for (let bytes = sender.output.take(); bytes !== null; bytes = sender.output.take()) taken.push(bytes)
  return readFrames(Buffer.concat(taken)).frames
}

describe('a message that is encoded', () => {
  test('is said to stay as it is where it is text or prepared, and not where it is bytes of the caller', () => {
    const codec = new ControlledCodec()
    const encode = jest.spyOn(codec, 'encode')
    const sender = new Sender(true, codec, IDLE)
    sender.sendText('text', true)
    sender.sendBytes(Buffer.from('bytes'), true)
    sender.sendAs(Opcode.TEXT, Buffer.from('as text'), true)
    sender.sendPrepared(new PreparedMessage('prepared'))
    expect(encode.mock.calls.map(([, , isLasting]) => isLasting)).toEqual([true, false, false, true])
  })

  test('counts in bytes while it is encoded off the loop, also where it is text beyond ASCII', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const text = new Sender(false, codec, IDLE)
    text.sendText('\u20ac'.repeat(100), true)
    expect(text.byteLength).toBe(300)
    const bytes = new Sender(false, new ControlledCodec({ asyncDeflateBytes: 50 }), IDLE)
    bytes.sendBytes(Buffer.alloc(123), true)
    expect(bytes.byteLength).toBe(123)
  })
})

describe('a prepared message where the codec encodes for each connection alone', () => {
  test('is encoded for each, and goes out as it is where the message says so', () => {
    const codec = Object.assign(new ControlledCodec(), { shared: null })
    const sender = new Sender(false, codec, IDLE)
    sender.sendPrepared(new PreparedMessage('aaaaaaaa'))
    sender.sendPrepared(new PreparedMessage('aaaaaaaa', { compress: false }))
    expect(take(sender).map(({ rsv1, payload }) => [rsv1, payload.toString('latin1')])).toEqual([
      [true, Buffer.from(encodeRuns('aaaaaaaa', 0)).toString('latin1')],
      [false, 'aaaaaaaa'],
    ])
  })
})

describe('RFC 7692 7.2.3.2: the context of the compressor', () => {
  test('is dropped after a message that was compressed for many, and kept after one that was not', () => {
    const codec = factory('server', true).createCodec(TAKEOVER)
    const drop = jest.spyOn(codec, 'dropContext')
    const sender = new Sender(false, codec, IDLE)
    sender.sendPrepared(new PreparedMessage(noise(300)))
    sender.sendPrepared(new PreparedMessage(json(500).toString(), { compress: false }))
    expect(drop).not.toHaveBeenCalled()
    sender.sendPrepared(new PreparedMessage(json(500).toString()))
    expect(drop).toHaveBeenCalledTimes(1)
    expect(take(sender).map(({ rsv1 }) => rsv1)).toEqual([false, false, true])
    drop.mockRestore()
    codec.close()
  })
})

describe('bytes of 16 KiB or more', () => {
  test('are copied during the call unless the caller lets them be held', () => {
    const large = Buffer.alloc(20_000, 1)
    for (const send of [
      (sender: Sender) => sender.sendBytes(large, false),
      (sender: Sender) => sender.sendAs(Opcode.BINARY, large, false),
    ]) {
      const sender = new Sender(false, null, IDLE)
      send(sender)
      expect(sender.output.isHolding).toBe(false)
    }
    const sender = new Sender(false, null, IDLE)
    sender.sendBytes(large, false, true)
    expect(sender.output.isHolding).toBe(true)
  })
})
