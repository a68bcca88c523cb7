/** Receives what happens on a transport. Must not throw. */
export interface TransportOwner {
  /**
   * Bytes came.
   * @param chunk valid during the call only: whatever is kept of it is copied
   */
  receive(chunk: Buffer): void
  /** The peer ended its side (a FIN). */
  receiveEnd(): void
  /** The transport is over, both ways. May be called more than once. */
  transportLost(error?: Error): void
  /** The system took bytes that had to wait. @param isAll whether nothing that was written waits any more */
  unblock(isAll: boolean): void
}

/** A way to move bytes: over any stream, or over the handle of a socket. */
export interface Transport {
  /** Bytes that were written and that the system did not take yet. */
  readonly pendingBytes: number
  /** The same, and once the transport is destroyed what it was by then. */
  readonly unsentBytes: number
  readonly isDestroyed: boolean
  /** Whether a write failed or the transport is destroyed: what is no longer pending may be lost. */
  readonly hasFailed: boolean
  /** What it failed by; null: it did not fail, or was destroyed without an error. It may be still to be told to the owner. */
  readonly failure: Error | null
  /** Whether it takes a further write now: nothing is pending, or so little that a large message must not wait for it. */
  readonly hasRoom: boolean
  /** Whether nobody holds the bytes of a write any more when it returns true, and else once all writes are taken. */
  readonly freesAtOnce: boolean
  /** Whether a write that returns false waits for the peer; else it may only be that the stream is asynchronous. */
  readonly blocksOnPeer: boolean
  /**
   * Asks the system how many of the bytes that it took the peer did not take yet. Not for each message.
   * @param maxAgeMs how old the answer may be
   * @returns null where it does not tell; 'asking' while it is being asked: ask again, and give the time since the first question
   */
  queuedBytes(maxAgeMs?: number): number | 'asking' | null
  /** The object that counts bytes as `bytesRead` and `bytesWritten`, where there is one. */
  readonly counter: object
  /** Sets who gets the events from now on. Reading has not begun, or goes on. */
  setOwner(owner: TransportOwner): void
  /**
   * To be called only where {@link hasRoom}.
   * @param bytes nobody changes them any more
   * @param payload follows `bytes` in the same write: a message that is not copied, of 16 KiB or more. The caller of `send` may have
   *   transferred it away while it waits
   * @returns whether the system took all; if not, the owner's `unblock` is called once it did
   */
  write(bytes: Buffer, payload?: Uint8Array | null): boolean
  /** Begins to read, or goes on. */
  resume(): void
  /** Stops to read: TCP tells the peer. */
  pause(): void
  /** Ends this side, after all that was written. */
  end(): void
  destroy(): void
}
