/**
 * `hawser/json`: messages as JSON, checked by a schema of any library that follows Standard Schema, and a handler for each
 * type of message.
 */
export { InvalidMessageError, type InvalidMessageKind, type MessageIssue } from '../errors.js'
export type { Codec } from '../service/codec.js'
export { json } from './json-codec.js'
export {
  router,
  type CheckedRouterOptions,
  type RouterHandlers,
  type RouterOptions,
  type RouterPart,
} from './router.js'
export type { StandardSchema } from './schema.js'
