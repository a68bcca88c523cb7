import { CLOSING } from './close.js'
import { CREATE } from './create.js'
import { INTERFACES } from './interfaces.js'
import { SENDING } from './send.js'
import { STREAMS } from './stream.js'
import type { WptCase } from './world.js'

export const WPT_CASES: readonly WptCase[] = [...CREATE, ...SENDING, ...CLOSING, ...INTERFACES, ...STREAMS]
