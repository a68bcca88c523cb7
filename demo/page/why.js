/* global location */
/** What happened to a connection, in words. */

/** How long the server may take to say whether it knows this page. */
const ANSWER_TIMEOUT_MS = 3_000

/** What the codes of a Close frame mean (RFC 6455 section 7.4.1), as far as this server sends them. */
const MEANINGS = new Map([
  [1001, 'the server stops'],
  [1002, 'the page broke the protocol'],
  [1003, 'the server does not take this kind of data'],
  [1005, 'the server gave no code'],
  [1007, 'the page sent text that is not UTF-8'],
  [1008, 'the page did what the server does not allow'],
  [1009, 'the message was too big for the server'],
  [1011, 'the server had an error'],
  [1012, 'the server starts again'],
  [1013, 'the server has too much to do'],
])

/**
 * The end of a connection that was open.
 * @param {CloseEvent} event
 * @param {boolean} isOwn whether the page asked for it
 * @returns {string}
 */
export function describeClose({ code, reason }, isOwn) {
  if (code === 1006) return 'Lost: the connection broke without a Close frame (1006)'
  const quoted = reason === '' ? '' : ` “${reason}”`
  const meaning = isOwn ? 'as this page asked' : MEANINGS.get(code)
  return `Closed with ${code}${quoted}${meaning === undefined ? '' : `: ${meaning}`}`
}

/**
 * Asks the server over HTTP, since a browser does not tell a page why a WebSocket was refused. Never rejects.
 * @returns {Promise<{ canConnect: boolean, text: string }>} whether a WebSocket may pass; what is to be said if none did
 */
export async function askServer() {
  let answer
  try {
    answer = await fetch(`/origin?of=${encodeURIComponent(location.origin)}`, {
      cache: 'no-store',
      // The server redirects nobody; a sign-in page may be elsewhere.
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
  } catch {
    return {
      canConnect: false,
      text: `Refused: nobody answers at ${location.host}. The server is not running, or a forwarded port leads nowhere`,
    }
  }
  const isAllowed = await readAnswer(answer)
  if (isAllowed === null) {
    return {
      canConnect: false,
      text: `Refused: something else answers at ${location.host}, perhaps a sign-in page of the forwarded port. Open this page again in another tab to see it`,
    }
  }
  if (!isAllowed) {
    return {
      canConnect: false,
      text: `Refused: the server does not know pages of ${location.origin}. Start it with --origin ${location.origin}`,
    }
  }
  return {
    canConnect: true,
    text: `Refused: ${location.host} answers, but no WebSocket passes. A proxy or a forwarded port may not hand on the upgrade`,
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<boolean | null>} whether the server knows this page; null: it is not the server that answers. An error
 *   status tells nothing, so that the WebSocket is to be tried
 */
async function readAnswer(answer) {
  if (answer.type === 'opaqueredirect') return null
  if (!answer.ok) return true
  try {
    const { isAllowed } = await answer.json()
    return typeof isAllowed === 'boolean' ? isAllowed : null
  } catch {
    return null
  }
}
