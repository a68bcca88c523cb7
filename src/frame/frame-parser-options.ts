import { boolean, number, requiredOneOf, type Checks } from '../check.js'
import { checkReservedBits } from './header.js'

/** Which end of a connection this is: a server requires masked frames, a client refuses them. */
export type Role = 'client' | 'server'

/** The options of a parser. */
export interface FrameParserOptions {
  /** The role of the end that parses, not of the end that sent. */
  readonly role: Role
  /** Whether an extension in use gives RSV1 a meaning (RFC 7692 section 6). Default false. */
  readonly allowRsv1?: boolean
  /** The bits to which extensions in use give a meaning, a sum of 0x40, 0x20 and 0x10. Default: that of `allowRsv1`. */
  readonly reservedBits?: number
  /** The largest payload of one frame, in bytes. Default: no limit. */
  readonly maxFrameBytes?: number
  /**
   * The largest payload of all frames of one message together, in bytes on the wire. Default: no limit of its own,
   * but at most 2^53 - 1, the largest number that can be counted exactly.
   */
  readonly maxMessageBytes?: number
  /**
   * The limit for messages with a reserved bit on the first frame, in bytes on the wire. Tiny fragments can be larger
   * compressed than inflated, so the default is 9/8 of `maxMessageBytes` plus 1024 bytes.
   */
  readonly maxCompressedBytes?: number
}

const BYTES = number({ min: 0, integer: true }, Infinity)

/** A check for each option. Those of `reservedBits` and `maxCompressedBytes` get a value: their defaults follow from others. */
export const CHECKS = {
  role: requiredOneOf<Role>(['client', 'server']),
  allowRsv1: boolean(false),
  reservedBits: (_name: string, value: unknown) => checkReservedBits(value),
  maxFrameBytes: BYTES,
  maxMessageBytes: BYTES,
  maxCompressedBytes: BYTES,
} satisfies Checks<FrameParserOptions>
