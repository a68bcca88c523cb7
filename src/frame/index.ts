/** `hawser/frame`: RFC 6455 section 5 as pure, synchronous code: bytes to frames, and frames to bytes. */
export { ProtocolError, LimitError, type ProtocolErrorCode, type LimitErrorCode } from '../errors.js'
export {
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  isValidCloseCode,
  type ClosePayload,
} from './close-code.js'
export { FramePart, FrameViolation, type FrameEvent } from './frame-event.js'
export { FrameParser, type FrameParserOptions, type Role } from './frame-parser.js'
export { serializeFrame, type FrameFields } from './frame-serializer.js'
export {
  frameHeaderBytes,
  MAX_CLOSE_REASON_BYTES,
  MAX_CONTROL_PAYLOAD_BYTES,
  MAX_HEADER_BYTES,
} from './header.js'
export { createMaskingKey, maskInPlace, rotateMaskingKey } from './masking.js'
export { MessageAssembler } from './message-assembler.js'
export { isControlOpcode, isDefinedOpcode, Opcode } from './opcode.js'
export { Utf8Validator } from './utf8.js'
