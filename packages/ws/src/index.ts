/**
 * The root of the drop-in, as `require('ws')` gives it: the class WebSocket, and on it everything else that `ws` has by name.
 * `scripts/build-drop-in.mjs` makes its default export `module.exports`; `wrapper.mjs` is the face for `import`.
 */
import { WebSocket } from './websocket.js'

export default Object.assign(WebSocket, { WebSocket })
