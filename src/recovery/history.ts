/**
 * The history of recoverable groups, as Hawser uses it: a store that numbers the messages of a group and keeps the newest of
 * them. {@link memoryHistory} is one, `hawser/redis` and `hawser/nats` have others, and one of your own is an object of
 * this shape.
 */

/** A place in the history of a group: after the message with this offset. */
export interface Position {
  /** Which life of the history: 1 to 64 characters. Another one than before says that what was kept then is not there any more. */
  readonly epoch: string
  /** The number of the message: the first of an epoch has 1, and each next one is greater by 1. 0: before the first. */
  readonly offset: number
}

/** A message that is kept. */
export interface KeptMessage {
  /** The number of the message. */
  readonly offset: number
  /** Text, or bytes that are not changed any more. */
  readonly data: string | Uint8Array
}

/** A part of a group's history. */
export interface HistoryPage {
  /** The epoch of all that is said here. */
  readonly epoch: string
  /** The offset of the newest message that was appended, kept or not; 0: none was. */
  readonly newest: number
  /** The offset of the oldest message that is kept; `newest + 1`: none is. */
  readonly oldest: number
  /**
   * The messages after the offset that was asked for, in order and without a gap from the oldest that is kept. Perhaps fewer than were
   * asked for, as where a page is bounded in bytes, but at least one, where there is one.
   */
  readonly messages: readonly KeptMessage[]
}

/** What is kept of a group. */
export interface HistoryLimits {
  /** How many of the newest messages at most. */
  readonly maxMessages: number
  /** For how long, in milliseconds. */
  readonly maxAgeMs: number
  /**
   * For how long the server waits for the answer, in milliseconds. A store that gives up sooner can say why. The stores of Hawser do, after
   * four fifths of it at most. Undefined: the caller does not say.
   */
  readonly timeoutMs?: number | undefined
}

/**
 * A store. What its methods throw and what their promises reject with is reported. Where `append` knows that a message is not kept, it throws
 * or rejects with a PublishError that says so.
 */
export interface HistoryStore {
  /**
   * Appends a message, atomically for all nodes: two calls never get the same position.
   * @param group the name of the group
   * @param data text, or bytes that belong to the caller when the call returns
   * @returns its position
   */
  append(group: string, data: string | Uint8Array, limits: HistoryLimits): Position | Promise<Position>
  /**
   * Reads what is kept after an offset.
   * @param after an offset; what it has to do with the epoch is for the caller to compare
   * @param maxMessages the most messages that are given; 0: only the rest of the page
   */
  read(
    group: string,
    after: number,
    maxMessages: number,
    limits: HistoryLimits,
  ): HistoryPage | Promise<HistoryPage>
  /** Lets go what it holds. Called once, when the last server of this process that has it is closed. What belongs to the user, such as a client of a broker, stays open. */
  close?(): unknown
}
