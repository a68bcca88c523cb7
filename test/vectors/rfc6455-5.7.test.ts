import {
  FrameParser,
  MessageAssembler,
  Opcode,
  serializeFrame,
  type FramePart,
  type Role,
} from '../../src/frame/index.js'
import { hex } from '../helpers/frame-builder.js'

/** The key of the masked examples, 37 fa 21 3d, first octet lowest. */
const MASKING_KEY = 0x3d21fa37

function parts(role: Role, bytes: Uint8Array): FramePart[] {
  const parser = new FrameParser({ role })
  parser.push(Buffer.from(bytes))
  const found: FramePart[] = []
  for (let event = parser.next(); event !== null; event = parser.next()) {
    if (event.type === 'violation') throw event.error
    found.push(event)
  }
  return found
}

/** The one frame that the bytes are. */
function only(role: Role, bytes: Uint8Array): FramePart {
  const found = parts(role, bytes)
  expect(found).toHaveLength(1)
  const part = found[0] as FramePart
  expect(part).toMatchObject({ rsv1: false, isFirst: true, isLast: true })
  return part
}

describe('RFC 6455 5.7: examples', () => {
  test('a single-frame unmasked text message', () => {
    const bytes = hex('81 05 48 65 6c 6c 6f')
    const part = only('client', bytes)
    expect(part).toMatchObject({ fin: true, opcode: Opcode.TEXT, payloadLength: 5 })
    expect(part.payload.toString()).toBe('Hello')
    expect(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hello' })).toEqual(bytes)
  })

  test('a single-frame masked text message', () => {
    const bytes = hex('81 85 37 fa 21 3d 7f 9f 4d 51 58')
    const part = only('server', bytes)
    expect(part).toMatchObject({
      fin: true,
      opcode: Opcode.TEXT,
      payloadLength: 5,
      maskingKey: MASKING_KEY,
    })
    expect(part.payload.toString()).toBe('Hello')
    expect(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hello', maskingKey: MASKING_KEY })).toEqual(bytes)
  })

  test('a fragmented unmasked text message', () => {
    const [first, second] = [hex('01 03 48 65 6c'), hex('80 02 6c 6f')]
    const found = parts('client', Buffer.concat([first, second]))
    expect(found).toMatchObject([
      { fin: false, opcode: Opcode.TEXT, payloadLength: 3 },
      { fin: true, opcode: Opcode.CONTINUATION, payloadLength: 2 },
    ])
    const message = new MessageAssembler(found[0] as FramePart)
    for (const part of found) expect(message.append(part)).toBeNull()
    expect(message.finish()).toEqual(Buffer.from('Hello'))
    expect(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hel', fin: false })).toEqual(first)
    expect(serializeFrame({ opcode: Opcode.CONTINUATION, payload: 'lo' })).toEqual(second)
  })

  test('an unmasked Ping request and a masked Pong response', () => {
    const ping = hex('89 05 48 65 6c 6c 6f')
    const pong = hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58')
    const request = only('client', ping)
    expect(request).toMatchObject({ fin: true, opcode: Opcode.PING })
    expect(serializeFrame({ opcode: Opcode.PING, payload: 'Hello' })).toEqual(ping)
    const response = serializeFrame({
      opcode: Opcode.PONG,
      payload: request.payload,
      maskingKey: MASKING_KEY,
    })
    expect(response).toEqual(pong)
    expect(only('server', pong).payload.toString()).toBe('Hello')
  })

  test('256 bytes of binary in a single unmasked frame', () => {
    const payload = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const bytes = Buffer.concat([hex('82 7e 01 00'), payload])
    const part = only('client', bytes)
    expect(part).toMatchObject({ fin: true, opcode: Opcode.BINARY, payloadLength: 256 })
    expect(part.payload).toEqual(payload)
    expect(serializeFrame({ opcode: Opcode.BINARY, payload })).toEqual(bytes)
  })

  test('64 KiB of binary in a single unmasked frame', () => {
    const payload = Buffer.alloc(65_536, 'Hawser')
    const bytes = Buffer.concat([hex('82 7f 00 00 00 00 00 01 00 00'), payload])
    const part = only('client', bytes)
    expect(part).toMatchObject({ fin: true, opcode: Opcode.BINARY, payloadLength: 65_536 })
    expect(part.payload.equals(payload)).toBe(true)
    expect(serializeFrame({ opcode: Opcode.BINARY, payload }).equals(bytes)).toBe(true)
  })
})
