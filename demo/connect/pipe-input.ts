import { TextDecoder } from 'node:util'
import type { ClientSocket, ReconnectingSocket } from 'hawser'
import { InputError, MAX_INPUT_BYTES, readBytes, type BinaryFormat } from './binary-formats.js'
import { RecordSplitter, RecordTooLongError } from './record-splitter.js'

const LF = 0x0a
const NUL = 0x00

/** How the input is read. */
export interface InputForm {
  readonly binary: BinaryFormat | null
  readonly isNullSeparated: boolean
}

/** What takes messages. One that reconnects drops those that are sent while there is no connection, and counts them. */
type Outlet = Pick<ClientSocket, 'send' | 'drained'> & Partial<Pick<ReconnectingSocket, 'droppedMessages'>>

/** Sends a message, where there is no connection once there is one. @returns a promise where there is no room for another */
function sendOne(socket: Outlet, data: string | Buffer): Promise<void> | undefined {
  const { droppedMessages } = socket
  return socket.send(data) ? undefined : untilSent(socket, data, droppedMessages)
}

async function untilSent(socket: Outlet, data: string | Buffer, dropped: number | undefined): Promise<void> {
  let before = dropped
  for (;;) {
    await socket.drained()
    if (socket.droppedMessages === before) return
    before = socket.droppedMessages
    if (socket.send(data)) return
  }
}

/**
 * Sends each record of a stream as a message, no faster than the peer takes them.
 * @returns after the last one was handed over
 * @throws InputError with the number of the record; ConnectionClosedError once the connection is over; what the stream
 *   fails with
 */
export async function sendInput(
  input: AsyncIterable<string | Buffer>,
  socket: Outlet,
  form: InputForm,
): Promise<void> {
  const splitter = new RecordSplitter(form.isNullSeparated ? NUL : LF, MAX_INPUT_BYTES)
  const word = form.isNullSeparated ? 'record' : 'line'
  let count = 0
  try {
    for await (const chunk of input) {
      for (const record of splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) {
        count++
        const data = messageOf(record, form.binary)
        const room = sendOne(socket, data instanceof Promise ? await data : data)
        if (room !== undefined) await room
      }
    }
    const last = splitter.end()
    if (last === null) return
    count++
    await sendOne(socket, await messageOf(last, form.binary))
  } catch (error) {
    if (error instanceof InputError) {
      throw new InputError(`${word} ${String(count)} of the input: ${error.message}`)
    }
    if (error instanceof RecordTooLongError) {
      throw new InputError(`${word} ${String(count + 1)} of the input is ${error.message}`)
    }
    throw error
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws InputError */
function messageOf(record: Buffer, binary: BinaryFormat | null): string | Buffer | Promise<Buffer> {
  // As they are: they need not be UTF-8.
  if (binary === 'text') return record
  if (binary !== null) return readBytes(binary, record.toString())
  try {
    return decoder.decode(record)
  } catch {
    throw new InputError('text must be UTF-8; --binary text sends bytes as they are')
  }
}
