import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'

interface PageFile {
  readonly type: string
  readonly body: Buffer
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
])

/** The files of the page, read once: no other file can be requested. */
export class PageFiles {
  private readonly files: ReadonlyMap<string, PageFile>

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.files = files
  }

  /**
   * Reads a directory; its `index.html` is served as `/`.
   * @throws the system's error if it cannot be read
   */
  static async load(directory: string): Promise<PageFiles> {
    const files = new Map<string, PageFile>()
    for (const name of await readdir(directory)) {
      const type = TYPES.get(path.extname(name))
      if (type === undefined) continue
      const body = await readFile(path.join(directory, name))
      files.set(name === 'index.html' ? '/' : `/${name}`, { type, body })
    }
    return new PageFiles(files)
  }

  /**
   * Answers a request for one of the files.
   * @param origins of the page, by all its names
   * @returns false, without an answer, if the path is not one of them
   */
  respond(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): boolean {
    const [name = ''] = (request.url ?? '').split('?', 1)
    const file = this.files.get(name)
    if (file === undefined) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      respondWithText(response, 405, 'The page can only be read\n', { Allow: 'GET, HEAD' })
      return true
    }
    response.writeHead(200, {
      ...COMMON_HEADERS,
      'Content-Type': file.type,
      'Content-Length': file.body.length,
      'Content-Security-Policy': contentSecurityPolicy(origins),
      'Cross-Origin-Opener-Policy': 'same-origin',
    })
    response.end(request.method === 'HEAD' ? undefined : file.body)
    return true
  }
}

/** Answers with one line of text. */
export function respondWithText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...COMMON_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

const COMMON_HEADERS = {
  // The next start may serve other files.
  'Cache-Control': 'no-cache',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** Nothing but the page's own files and connections. */
function contentSecurityPolicy(origins: readonly string[]): string {
  // By CSP level 3 'self' covers ws as well; older browsers want it by name. The grammar has no IPv6 addresses.
  const sockets = origins.filter((url) => !url.includes('[')).map((url) => url.replace(/^http/, 'ws'))
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ['connect-src', "'self'", ...sockets].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
