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

/** The bit that tells control frames (RFC 6455 section 5.5) from data frames. */
export const CONTROL_OPCODE_BIT = 0x8

/** Whether an opcode is that of a control frame, known or reserved. */
export function isControlOpcode(opcode: number): boolean {
  return (opcode & CONTROL_OPCODE_BIT) !== 0
}

/** Indexed by opcode: 1 where RFC 6455 section 5.2 defines it. */
const DEFINED = [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]

/** Whether RFC 6455 section 5.2 defines this opcode. */
export function isDefinedOpcode(opcode: number): opcode is Opcode {
  return DEFINED[opcode] === 1
}
