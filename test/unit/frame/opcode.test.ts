import { CONTROL_OPCODE_BIT, isControlOpcode, isDefinedOpcode, Opcode } from '../../../src/frame/opcode.js'

describe('RFC 6455 5.2: opcodes', () => {
  test('Opcode has the numbers of the RFC', () => {
    expect(Opcode).toEqual({ CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 })
  })

  test('opcodes 0 to 2 and 8 to 10 are defined, the others are reserved', () => {
    const defined = Array.from({ length: 16 }, (_, opcode) => opcode).filter(isDefinedOpcode)
    expect(defined).toEqual([0, 1, 2, 8, 9, 10])
    expect([-1, 16, 0.5, NaN].some(isDefinedOpcode)).toBe(false)
  })
})

describe('RFC 6455 5.5: control frames', () => {
  test('control frames are those with the highest opcode bit, reserved ones included', () => {
    expect(CONTROL_OPCODE_BIT).toBe(8)
    const control = Array.from({ length: 16 }, (_, opcode) => opcode).filter(isControlOpcode)
    expect(control).toEqual([8, 9, 10, 11, 12, 13, 14, 15])
  })
})
