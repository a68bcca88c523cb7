import { InputError, isBinaryFormat, readBytes, type BinaryFormat } from './binary-formats.js'

/** What a line that was typed at the prompt asks for. */
export type PromptRequest =
  | { readonly kind: 'send'; readonly data: string | Buffer }
  | { readonly kind: 'ping'; readonly text: string }
  | { readonly kind: 'close'; readonly code: number | undefined; readonly reason: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'nothing' }

/** What `/help` prints. */
export const PROMPT_HELP = `A line is sent as a message. A line that begins with a slash is a command:
  /ping [TEXT]              sends a ping, and prints how long its pong takes
  /binary FORMAT TEXT       sends bytes: FORMAT is hex, base64, text, or file for the bytes of a file
  /text [TEXT]              sends a text message, which may be empty
  /close [CODE [REASON]]    closes the connection (default code: 1000)
  /help                     prints this
  //TEXT                    sends a text that begins with a slash
The arrow keys go through the lines before. Ctrl+C and Ctrl+D close with 1000; a second Ctrl+C cuts the connection.`

/**
 * Reads a line of the prompt.
 * @param binary what a line without a command stands for; null: a text message
 * @throws InputError
 */
export async function readPromptLine(line: string, binary: BinaryFormat | null): Promise<PromptRequest> {
  if (line === '') return { kind: 'nothing' }
  if (line.startsWith('//')) return message(line.slice(1), binary)
  const command = /^\/(\S*)\s?([^]*)$/.exec(line)
  if (command === null) return message(line, binary)
  const [, name = '', rest = ''] = command
  switch (name) {
    case 'ping':
      return { kind: 'ping', text: rest }
    case 'text':
      return { kind: 'send', data: rest }
    case 'binary':
      return { kind: 'send', data: await readBinary(rest) }
    case 'close':
      return readClose(rest.trim())
    case 'help':
      return { kind: 'help' }
    default:
      throw new InputError(
        `unknown command /${name}: /help lists the commands; // sends a text that begins with a slash`,
      )
  }
}

async function message(text: string, binary: BinaryFormat | null): Promise<PromptRequest> {
  return { kind: 'send', data: binary === null ? text : await readBytes(binary, text) }
}

function readBinary(rest: string): Buffer | Promise<Buffer> {
  const [, format = '', text = ''] = /^(\S*)\s?([^]*)$/.exec(rest) ?? []
  if (isBinaryFormat(format)) return readBytes(format, text)
  throw new InputError(
    `/binary needs a format, hex, base64, text or file, and then the bytes, as in /binary hex 00 ff`,
  )
}

function readClose(rest: string): PromptRequest {
  if (rest === '') return { kind: 'close', code: 1000, reason: '' }
  const [, code, reason = ''] = /^(\d{4})(?:\s+([^]*))?$/.exec(rest) ?? []
  if (code === undefined)
    throw new InputError('/close takes a code of four digits and a reason, as in /close 4000 bye')
  return { kind: 'close', code: Number(code), reason }
}
