import type { Connection } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { readFrames, type WireFrame } from './frame-builder.js'

/** All that there is to be pulled from a connection now. */
export function pullAll(connection: Connection): ConnectionEvent[] {
  const events: ConnectionEvent[] = []
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) events.push(event)
  return events
}

/** An event on one line, for comparing many. */
export function showEvent(event: ConnectionEvent): string {
  switch (event.type) {
    case 'message':
      return typeof event.data === 'string'
        ? `text ${JSON.stringify(event.data)}`
        : `binary ${event.data.toString('hex')}`
    case 'ping':
    case 'pong':
      return `${event.type} ${event.data.toString('latin1')}`
    case 'closeReceived':
      return `closeReceived ${event.code} ${event.reason}`
    case 'error':
      return `error ${event.error.code}`
    case 'closed':
      return `closed ${event.code} ${event.reason} ${event.wasClean ? 'clean' : 'unclean'} ${event.initiator}`
    case 'idleTimeout':
      return 'idleTimeout'
  }
}

/** {@link pullAll}, each on one line. */
export function pullLines(connection: Connection): string[] {
  return pullAll(connection).map(showEvent)
}

/** All that a connection has to write now, in one. */
export function takeAll(connection: Connection): Buffer {
  const taken: Buffer[] = []
  for (let bytes = connection.takeOutput(); bytes !== null; bytes = connection.takeOutput()) taken.push(bytes)
  return Buffer.concat(taken)
}

/** {@link takeAll}, as frames; it must end between two of them. */
export function takeFrames(connection: Connection): readonly WireFrame[] {
  const { frames, rest } = readFrames(takeAll(connection))
  if (rest.length > 0) throw new Error(`${rest.length} bytes behind the last whole frame`)
  return frames
}

/** What goes out, on one line a frame: `1 Hello`, with R for RSV1, and for a Close frame its code and reason. */
export function takeLines(connection: Connection): string[] {
  return takeFrames(connection).map((f) =>
    f.opcode === 8
      ? `8 ${f.payload.length === 0 ? 'empty' : `${f.closeCode} ${f.closeReason}`}`
      : `${f.opcode}${f.rsv1 ? 'R' : ''}${f.fin ? '' : '-'} ${f.text}`,
  )
}
