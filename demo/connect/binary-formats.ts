import { open } from 'node:fs/promises'
import { errorText } from '../error-text.js'

/** What a line can stand for that is sent as a binary message. */
export type BinaryFormat = 'hex' | 'base64' | 'file' | 'text'

/** All of them, in the order of the help. */
export const BINARY_FORMATS: readonly BinaryFormat[] = ['hex', 'base64', 'file', 'text']

/** Whether a word names a format. */
export const isBinaryFormat = (word: string): word is BinaryFormat =>
  (BINARY_FORMATS as readonly string[]).includes(word)

/** The largest message that the command sends, so that a line without an end and an endless file cannot fill memory. */
export const MAX_INPUT_BYTES = 64 * 1024 * 1024

/** Something that was typed or piped in, and cannot be sent. Its message is one line. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

/**
 * Reads bytes as people write them.
 * @returns a promise for a file alone: other formats cost a line of a pipe no turn
 * @throws InputError
 */
export function readBytes(format: BinaryFormat, text: string): Buffer | Promise<Buffer> {
  switch (format) {
    case 'hex':
      return readHex(text)
    case 'base64':
      return readBase64(text)
    case 'file':
      return readFileBytes(text.trim())
    case 'text':
      return Buffer.from(text)
  }
}

/** Pairs of digits, with or without white space, colons and `0x` between them. */
function readHex(text: string): Buffer {
  const digits = text.replace(/0x|[\s:,]/gi, '')
  if (digits.length % 2 === 0 && /^[\da-f]*$/i.test(digits)) return Buffer.from(digits, 'hex')
  throw new InputError(`hex must be pairs of hexadecimal digits, such as 00 ff, not ${shorten(text)}`)
}

/** The alphabet of RFC 4648 section 4 or 5, padded or not. */
function readBase64(text: string): Buffer {
  const digits = text.replace(/\s/g, '')
  const bytes = Buffer.from(digits, 'base64')
  // Node skips what is not base64: only what it gives back is what was written.
  const canonical = digits.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '')
  const hasPadding = digits.endsWith('=')
  if (bytes.toString('base64').replace(/=+$/, '') === canonical && (!hasPadding || digits.length % 4 === 0)) {
    return bytes
  }
  throw new InputError(`base64 must be whole and canonical, such as AP8=, not ${shorten(text)}`)
}

async function readFileBytes(name: string): Promise<Buffer> {
  let file
  try {
    file = await open(name, 'r')
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of file.createReadStream()) {
      chunks.push(chunk as Buffer)
      length += (chunk as Buffer).length
      if (length > MAX_INPUT_BYTES)
        throw new InputError(`a file must have at most ${String(MAX_INPUT_BYTES)} bytes: ${shorten(name)}`)
    }
    return Buffer.concat(chunks, length)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(`the file cannot be read: ${errorText(error)}`)
  } finally {
    await file?.close()
  }
}

const MAX_QUOTED_CHARACTERS = 40

const shorten = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED_CHARACTERS ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}...` : text)
