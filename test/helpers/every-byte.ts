/** What the tests of test/integration/every-byte disturb. */
import { aroundMarks, everyByte, everyFrameByte, everyNth, type Places } from './talk-tests.js'
import { long, TALKS, type Talk } from './talks.js'

/** A test file of these takes minutes. */
export const SLOW_MS = 5 * 60_000

export const HARMLESS = ['delay', 'split', 'drip', 'merge'] as const
export const HARMFUL = ['truncate', 'reset', 'lateReset', 'halfClose'] as const
export const STALLS = ['stall', 'silence'] as const

/** Most of the time such runs wait. */
export const MANY = { width: 400, spreadMs: 8_000 }

const { messages, compressed, withoutCode, toServer, toClient, refused, tunnelled } = TALKS

/** Where each conversation is disturbed: the heads of the first are those of most others. */
const WHERE: readonly (readonly [Talk, Places])[] = [
  [messages, everyByte],
  [compressed, everyFrameByte],
  [withoutCode, everyFrameByte],
  [toServer, everyFrameByte],
  [toClient, everyFrameByte],
  [refused, everyNth(3)],
  [tunnelled, everyNth(3)],
]

export const SHORT_TALKS = WHERE.map(([talk, places]) => ({ name: talk.name, talk, places }))
/** At each border and a few bytes from it. */
export const LONG_TALK = { name: long.name, talk: long, places: aroundMarks(3, 12) }
