/**
 * `hawser/endpoints`: services by name, from modules and from directories that describe them, and the event that a handler
 * runs for. Functions over the public API of a server.
 */
export {
  listEndpoints,
  serveDirectory,
  serveEndpoint,
  type DirectoryOptions,
  type EndpointInfo,
  type EndpointOptions,
} from './endpoints.js'
export type { ServiceModule } from './names.js'
export { currentEvent, trackEvents, type CurrentEvent } from './current-event.js'
