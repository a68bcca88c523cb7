/** Who is told what happens on a transport. Must not throw. */
export interface TransportOwner {
  /**
   * Bytes came.
   * @param isBorrowed they are valid during the call only: whatever is kept of them is copied
   */
  receive(chunk: Buffer, isBorrowed: boolean): void
  /** The peer ended its side (a FIN). */
  receiveEnd(): void
  /** The transport is over, both ways. Perhaps told more than once. */
  transportLost(error?: Error): void
  /** All that was written has left: the system takes bytes again. */
  unblock(): void
}

/** A way to move bytes: over any stream, or over the handle of a socket. */
export interface Transport {
  /** Bytes that were written and that the system did not take yet. */
  readonly pendingBytes: number
  readonly isDestroyed: boolean
  /** Whether nobody holds the bytes of a write any more when it returns true. */
  readonly freesAtOnce: boolean
  /** What counts bytes as `bytesRead` and `bytesWritten`, where anything does. */
  readonly counter: object
  /** From now on this one is told. Reading has not begun, or goes on. */
  setOwner(owner: TransportOwner): void
  /**
   * @param bytes nobody changes them any more
   * @returns whether the system took all; if not, the owner's `unblock` is called once it did
   */
  write(bytes: Buffer): boolean
  /** As {@link write}, for more than one piece, in order. */
  writeMany(pieces: readonly Buffer[]): boolean
  /** Begins to read, or goes on. */
  resume(): void
  /** Stops to read: TCP tells the peer. */
  pause(): void
  /** Ends this side, behind all that was written. */
  end(): void
  destroy(): void
}
