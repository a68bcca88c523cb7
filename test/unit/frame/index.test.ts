import * as frame from '../../../src/frame/index.js'

describe('hawser/frame', () => {
  test('exports exactly the documented names', () => {
    expect(Object.keys(frame).sort()).toEqual([
      'CloseCode',
      'FrameParser',
      'FramePart',
      'FrameViolation',
      'LimitError',
      'MAX_CLOSE_REASON_BYTES',
      'MAX_CONTROL_PAYLOAD_BYTES',
      'MAX_HEADER_BYTES',
      'MessageAssembler',
      'Opcode',
      'ProtocolError',
      'Utf8Validator',
      'createMaskingKey',
      'decodeClosePayload',
      'encodeClosePayload',
      'frameHeaderBytes',
      'isControlOpcode',
      'isDefinedOpcode',
      'isValidCloseCode',
      'maskInPlace',
      'rotateMaskingKey',
      'serializeFrame',
    ])
  })

  test('is enough to echo a message', () => {
    const parser = new frame.FrameParser({ role: 'server' })
    parser.push(
      frame.serializeFrame({
        opcode: frame.Opcode.TEXT,
        payload: 'Hello',
        maskingKey: frame.createMaskingKey(),
      }),
    )
    const event = parser.next()
    if (event?.type !== 'part') throw new Error('no part')
    const echo = frame.serializeFrame({ opcode: event.opcode, payload: event.payload })
    expect(echo.toString('latin1')).toBe('\u0081\u0005Hello')
  })
})
