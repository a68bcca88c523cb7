/**
 * Three programs carry a copy of `ws` inside their own files, which no override reaches. There the copy's exports are
 * replaced by those of the `ws` that is installed beside the program: in the tree with the drop-in, the drop-in.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const CROSSWS = `import WebSocket, { WebSocketServer } from 'ws'
export const import_websocket = { default: WebSocket }
export const import_websocket_server = { default: WebSocketServer }
`

/** Each pattern stands in the file exactly once: else the program has changed, and the row has to be looked at. */
const REPLACEMENTS = [
  {
    file: 'vite/dist/node/chunks/node.js',
    edits: [
      [
        /^const WebSocketServerRaw = .*$/m,
        `const WebSocketServerRaw = (await import('ws')).WebSocketServer;`,
      ],
    ],
  },
  {
    file: 'playwright-core/lib/utilsBundle.js',
    edits: [
      [/^var ws = wrapper_default;$/m, `var ws = require('ws');`],
      [
        /^var wsServer = import_websocket_server[.]default;$/m,
        `var wsServer = require('ws').WebSocketServer;`,
      ],
    ],
  },
  {
    file: 'crossws/dist/_chunks/libs/ws.mjs',
    edits: [
      [/^[^]*export\s*\{\s*\w+ as import_websocket,\s*\w+ as import_websocket_server\s*\};?\s*$/, CROSSWS],
    ],
  },
]

/** @param {string} tree @throws Error that names the file that is not as expected */
export function replaceBundled(tree) {
  for (const { file, edits } of REPLACEMENTS) {
    const place = path.join(tree, 'node_modules', file)
    let text = readFileSync(place, 'utf8')
    if (text.startsWith(CROSSWS)) continue
    for (const [pattern, replacement] of edits) {
      const found = text.match(new RegExp(pattern.source, `${pattern.flags}g`))?.length ?? 0
      if (found === 1) text = text.replace(pattern, () => replacement)
      else if (!text.includes(replacement)) {
        throw new Error(`${file} has ${String(found)} places for ${String(pattern)}, and not 1`)
      }
    }
    // Beside it first: npm may have linked the file to its cache.
    writeFileSync(`${place}.new`, text)
    renameSync(`${place}.new`, place)
  }
}
