/** The request of an upgrade as crossws's hooks have it, and the Response that ends one. */
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { AnswerDecision } from '../server/routed-decision.js'
import { MAX_ANSWER_BYTES } from './answer-sink.js'
import type { CrosswsRequest } from './crossws-types.js'

/** The upgrade as node:http has it. */
export interface NodeUpgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** Fields that say something of the message or the connection: this side writes them itself. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Makes a Request of the standard of an upgrade, with the members that servers of srvx add: `context`, `runtime` and `ip`.
 * @returns null for a Host or a target that makes no URL: the peer's fault
 */
export function webRequestOf({ request, socket, head }: NodeUpgrade): CrosswsRequest | null {
  const { headers, rawHeaders } = request
  const isTls = (socket as { readonly encrypted?: boolean }).encrypted ?? false
  const scheme = isTls || headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  // Not as a URL that is relative to the host: a target with two slashes would name another one.
  const url = `${scheme}://${headers.host ?? 'localhost'}${request.url ?? '/'}`
  if (!URL.canParse(url)) return null
  const fields = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    fields.append(rawHeaders[at] as string, rawHeaders[at + 1] as string)
  }
  const made = new Request(url, { headers: fields })
  return Object.assign(made, {
    context: {},
    ip: request.socket.remoteAddress,
    runtime: { name: 'node', node: { req: request, upgrade: { socket, head } } },
  })
}

/** @throws RangeError for a body above 1 MiB, as for every answer of a framework */
async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) {
      throw new RangeError(
        `the Response that ends an upgrade has more than ${String(MAX_ANSWER_BYTES)} bytes in its body`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The answer that ends an upgrade, of a Response with any status, as crossws sends it. */
export async function answerOf(response: Response): Promise<AnswerDecision> {
  const body = await bodyOf(response)
  const { headers } = response
  // That of Response.error() is 0.
  const status = response.status || 500
  const reason = response.statusText || (STATUS_CODES[status] ?? '')
  const lines = [`HTTP/1.1 ${String(status)} ${reason}`]
  for (const [name, value] of headers) if (!OWN_FIELDS.has(name)) lines.push(`${name}: ${value}`)
  lines.push('connection: close')
  const hasBody = status !== 204 && status !== 304
  if (hasBody) lines.push(`content-length: ${String(body.length)}`)
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return new AnswerDecision(hasBody ? Buffer.concat([head, body]) : head)
}
