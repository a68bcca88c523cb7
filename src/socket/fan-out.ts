import {
  boolean,
  checkOptionNames,
  optionalFunction,
  optionalObject,
  isYes,
  showValue,
  type Advice,
  type Checks,
} from '../check.js'
import { showAs } from '../inspect.js'
import type { ReadyState } from '../connection/ready-state.js'
import type { MessageData } from '../connection/message-data.js'
import { PreparedMessage, prepareTransient } from '../connection/prepared-message.js'
import type { DeliveryOutcome } from './driver-owner.js'
import { putOff } from './fan-out-turn.js'
import { NoReply } from './no-reply.js'

/** The outcome of a message to many. A handler that returns it does not reply with it. */
export interface Delivery {
  /** The number of connections that took the message; they receive it as fast as they read. */
  readonly sent: number
  /** The number of connections that read too slowly and did not take it: see `slowConsumer`. */
  readonly dropped: number
  /** The number of connections that were no longer open. */
  readonly failed: number
}

class DeliveryCounts extends NoReply implements Delivery {
  readonly sent: number
  readonly dropped: number
  readonly failed: number

  constructor(sent: number, dropped: number, failed: number) {
    super()
    this.sent = sent
    this.dropped = dropped
    this.failed = failed
  }
}
showAs(DeliveryCounts, 'Delivery', ({ sent, dropped, failed }) => ({ sent, dropped, failed }))

/** Any connection, with any type of `data`, so that a server with any type of `data` is a server. */
interface Excepted {
  /** See `ReadyState`. */
  readonly readyState: ReadyState
}

/** The options of a message to many. */
export interface FanOutOptions<S> {
  /** A connection, or several, that do not get the message. */
  readonly except?: Excepted | ReadonlySet<Excepted> | readonly Excepted[] | undefined
  /**
   * The connections for which this returns true get the message. It is called for each before anything is sent. If it
   * throws, or returns a promise, no connection gets the message.
   */
  readonly filter?: ((socket: S) => boolean) | undefined
  /** Compress the message where compression is in use and worth it. Default true. */
  readonly compress?: boolean | undefined
}

/** The key of the method that takes a message to many: no name that the application could meet on a socket. */
export const DELIVER = Symbol('deliver')

/** A recipient of a message to many. */
export interface Recipient {
  [DELIVER](message: PreparedMessage): DeliveryOutcome
}

const CHECKS = {
  except: optionalObject<object>('a connection, or an array or a set of them'),
  filter: optionalFunction<(socket: never) => boolean>(),
  compress: boolean(undefined),
} satisfies Checks<FanOutOptions<unknown>>

/** The answer to a callback where a message goes to many. */
export const NO_CALLBACK = 'there is no callback; the call returns what became of the message'

const ADVICE = {
  callback: NO_CALLBACK,
  instead: {
    binary: 'a string is sent as text, and bytes as a binary message',
  },
} satisfies Advice

/** @throws TypeError with the option's name and value */
function checkOptions<S>(options: FanOutOptions<S>): void {
  checkOptionNames('options', options, CHECKS, ADVICE)
  CHECKS.except('except', options.except)
  CHECKS.filter('filter', options.filter)
  CHECKS.compress('compress', options.compress)
}

/** The message, encoded once: as the caller prepared it, or prepared here. */
export function prepare(data: MessageData | PreparedMessage, compress?: boolean): PreparedMessage {
  if (!(data instanceof PreparedMessage)) {
    return prepareTransient(data, compress === undefined ? undefined : { compress })
  }
  if (compress !== undefined) throw new TypeError('compress belongs to the PreparedMessage itself')
  return data
}

/**
 * Sends one message to many: it is encoded once, compressed once, and written to each connection together with everything
 * else that is sent to it in the same turn. A connection that is slow, closing or broken never stops the others.
 * @throws TypeError for anything that is neither text nor bytes, for wrong options and for a `filter` that returns a
 *   promise; what `filter` throws. Then nothing is sent
 */
export function fanOut<S extends Recipient>(
  members: Iterable<S>,
  data: MessageData | PreparedMessage,
  options?: FanOutOptions<S>,
): Delivery {
  if (options !== undefined) checkOptions(options)
  const message = prepare(data, options?.compress)
  if (options === undefined && Array.isArray(members) && putOff(members as readonly S[], message)) {
    return new DeliveryCounts(members.length, 0, 0)
  }
  const isExcepted = options?.except === undefined ? null : excepted(options.except)
  const chosen = options?.filter === undefined ? members : choose(members, isExcepted, options.filter)
  let sent = 0
  let dropped = 0
  let failed = 0
  for (const member of chosen) {
    if (isExcepted?.(member) === true) continue
    const outcome = member[DELIVER](message)
    if (outcome === 'sent') sent++
    else if (outcome === 'dropped') dropped++
    else failed++
  }
  return new DeliveryCounts(sent, dropped, failed)
}

/** The recipients as a list: a filter that fails for one fails for all. */
function choose<S>(
  members: Iterable<S>,
  isExcepted: ((member: unknown) => boolean) | null,
  filter: (member: S) => unknown,
): S[] {
  const chosen: S[] = []
  for (const member of members) {
    if (isExcepted?.(member) === true) continue
    if (isYes(filter(member), 'filter must return true or false', ': it must not be async'))
      chosen.push(member)
  }
  return chosen
}

/** @throws TypeError for an entry that is not a connection: it would be left out of nothing */
function excepted(except: object): (member: unknown) => boolean {
  if (DELIVER in except) return (member) => member === except
  if (!(Symbol.iterator in except)) refuseExcepted(except)
  const left: ReadonlySet<unknown> = except instanceof Set ? except : new Set(except as Iterable<unknown>)
  for (const entry of left) {
    if (typeof entry !== 'object' || entry === null || !(DELIVER in entry)) refuseExcepted(entry)
  }
  return (member) => left.has(member)
}

function refuseExcepted(value: unknown): never {
  throw new TypeError(`except must be a connection, or an array or a set of them, not ${showValue(value)}`)
}
