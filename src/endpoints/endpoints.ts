import { contain, optionalFunction, readOptions, showValue, string } from '../check.js'
import type { Route, ServerService, ServiceFactory } from '../server/server-service.js'
import { coreOfServer, WebSocketServer } from '../server/websocket-server.js'
import { toError } from '../errors.js'
import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { warnAtIntervals } from '../socket/warnings.js'
import { EndpointDirectory } from './directory.js'
import { checkEndpointName, prefixOption, serviceOf, type ServiceModule } from './names.js'

/** An endpoint of a server. */
export interface EndpointInfo {
  /** The name of the endpoint. */
  readonly name: string
  /** The path that it is served at. */
  readonly path: string
  /** For people: what it is for; may be empty. */
  readonly description: string
}

/** The options of {@link serveEndpoint}. */
export interface EndpointOptions {
  /** For people: what it is for. Default: empty. */
  readonly description?: string | undefined
  /** Stands before the name in the path; begins and ends with a slash. Default: `/service/`. */
  readonly prefix?: string | undefined
}

/** The options of {@link serveDirectory}. */
export interface DirectoryOptions {
  /** Stands before the endpoints' names in their paths; begins and ends with a slash. Default: `/service/`. */
  readonly prefix?: string | undefined
  /**
   * Gets what is wrong with a file that changes, and an error of the watcher. What it throws goes to
   * `onError` of the server. Default: a warning of the process.
   */
  readonly onError?: ((error: Error) => void) | undefined
}

/** The endpoints of each server, by their routes. */
const ENDPOINTS = new WeakMap<object, Map<Route, EndpointInfo>>()

function endpointsOf(server: unknown): Map<Route, EndpointInfo> {
  if (!(server instanceof WebSocketServer)) {
    throw new TypeError(`server must be a WebSocketServer, not ${showValue(server)}`)
  }
  let endpoints = ENDPOINTS.get(server)
  if (endpoints === undefined) ENDPOINTS.set(server, (endpoints = new Map<Route, EndpointInfo>()))
  // Who takes a path out of its server takes the endpoint out.
  const routes = new Set(server.routes())
  for (const route of endpoints.keys()) if (!routes.has(route)) endpoints.delete(route)
  return endpoints
}

/**
 * Serves a service by a name, at the path of the prefix (`/service/`) and the name. `server.unroute(path)` takes it out.
 * @param name letters, digits, `.`, `_`, `~` and `-`, with slashes between
 * @param service as for `route`, or a module: its default export, or else its exports are the handlers
 * @throws TypeError for what is not a server, for a wrong name, service or option, and for a name that is taken
 */
export function serveEndpoint<Data = unknown>(
  server: WebSocketServer<Data>,
  name: string,
  service: ServerService | ServiceFactory | ServiceModule,
  options: EndpointOptions = {},
): Route {
  const endpoints = endpointsOf(server)
  const { description, prefix } = readOptions('options', options, {
    description: string(''),
    prefix: prefixOption,
  })
  checkEndpointName(name)
  const path = prefix + name
  const route = server.route<unknown>(path, serviceOf(service))
  endpoints.set(route, Object.freeze({ name, path, description }))
  return route
}

/** The endpoints of a server, in the order in which they were added. @throws TypeError for what is not a server */
export function listEndpoints<Data = unknown>(server: WebSocketServer<Data>): EndpointInfo[] {
  return [...endpointsOf(server).values()]
}

/**
 * Serves what the `*.websocket` and `*.websocket.json` files of a directory describe: `{ handler, endpoint, description }`, where
 * `handler` is the path of a module, relative to the directory (or to its parent, if it begins with the directory's name). Without
 * an extension, Hawser looks for `.mjs`, `.js` and `.cjs`. What changes in the directory is loaded again, until the server
 * closes: new connections get the new handlers, those that are open keep theirs. What is wrong with a changed file goes to
 * `onError`, and the endpoint stays as it was. A module that was replaced stays in memory: Node keeps it.
 * @throws TypeError for wrong arguments; what is wrong with the directory or a file, which the message names: then none of
 *   the files is served
 */
export async function serveDirectory<Data = unknown>(
  server: WebSocketServer<Data>,
  directory: string,
  options: DirectoryOptions = {},
): Promise<void> {
  endpointsOf(server)
  const { onError = warn(server), prefix } = readOptions('options', options, {
    prefix: prefixOption,
    onError: optionalFunction<DirectoryOptions['onError']>(),
  })
  const shown = new Map<string, { readonly service: unknown; readonly route: Route }>()
  const remove = (name: string): void => {
    if (shown.delete(name)) server.unroute(prefix + name)
  }
  const files = new EndpointDirectory(directory, {
    set: (name, service, description) => {
      const before = shown.get(name)
      const info = before && endpointsOf(server).get(before.route)
      const isSame = before?.service === service && info?.description === description
      if (isSame) return
      remove(name)
      shown.set(name, { service, route: serveEndpoint(server, name, service, { description, prefix }) })
    },
    remove,
    onError: (error) => {
      contain(
        () => onError(error),
        (thrown) => {
          coreOfServer(server).reportError(toError(thrown), 'onError of a directory')
        },
      )
    },
  })
  const { signal } = server
  const close = (): void => {
    files.close()
  }
  onAbort(signal, close)
  try {
    await files.open()
    if (signal.aborted) close()
  } catch (error) {
    close()
    offAbort(signal, close)
    for (const name of [...shown.keys()]) remove(name)
    throw error
  }
}

const warn =
  (server: object) =>
  (error: Error): void => {
    const what = 'a file of a directory of endpoints is wrong, and no onError was given'
    warnAtIntervals(server, 'HAWSER_UNHANDLED_ENDPOINT_ERROR', what, error)
  }
