/** The meaning of a frame (RFC 6455 section 5.2). 3 to 7 and 11 to 15 are reserved. */
export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const

export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** The bit that control frames have and data frames have not (RFC 6455 section 5.5). */
export const CONTROL_OPCODE_BIT = 0x8

/** Whether an opcode, defined or reserved, is that of a control frame. */
export function isControlOpcode(opcode: number): boolean {
  return (opcode & CONTROL_OPCODE_BIT) !== 0
}

/** Indexed by opcode: 1 if RFC 6455 section 5.2 defines it. */
const DEFINED = [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]

/** Whether RFC 6455 section 5.2 defines this opcode. */
export function isDefinedOpcode(opcode: number): opcode is Opcode {
  return DEFINED[opcode] === 1
}
