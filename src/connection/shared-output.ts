import type { WriteQueue } from './write-queue.js'

/** Frames that many connections share, appended to the queue of each at the end of the turn: see socket/fan-out-turn.ts. */

let queueOf: (connection: object) => WriteQueue | null

/** The queues of connections are known to their class alone: this is how it gives them. Once. */
export function findQueuesBy(find: (connection: object) => WriteQueue | null): void {
  queueOf = find
}

/**
 * The queue of a connection's output, for frames of many connections: not for applications.
 * @returns null where such a frame is masked, or compressed
 */
export const plainOutputOf = (connection: object): WriteQueue | null => queueOf(connection)
