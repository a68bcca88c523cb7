import type { Group } from '../hub/group.js'
import type { Socket } from '../socket/socket.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** A connection as a server has it. */
export interface ServerSocket<
  Data = unknown,
  Params = Readonly<Record<string, string>>,
> extends Socket<Data> {
  /** The parameters of the route's path, percent-decoded. */
  readonly params: Params
  /** The request as `onUpgrade` gets it, where the server has the option `keepRequest`; else undefined. */
  readonly request: UpgradeInfo<Params> | undefined
  /**
   * The client's IP address: behind proxies that the server trusts (`trustedProxies`) the one that they report, else that of
   * the peer, `remoteAddress`. An IPv4 address is never written as IPv6 (`::ffff:192.0.2.1`). Empty for a Unix socket.
   */
  readonly clientAddress: string
  /** The query of the request, parsed when it is first read. */
  readonly query: URLSearchParams

  /**
   * Joins a group, which need not exist before.
   * @param group 1 to `hubLimits.maxNameLength` UTF-16 units
   * @returns whether the connection is in it now: false if it is no longer open
   * @throws TypeError or RangeError for a wrong name; RangeError above `maxGroupsPerConnection`
   * @example
   * ```ts
   * server.route('/chat', {
   *   onOpen: (socket) => {
   *     socket.join('everybody')
   *   },
   *   onTextMessage: (socket, text) => {
   *     socket.group('everybody').send(text, { except: socket })
   *   },
   * })
   * ```
   */
  join(group: string): boolean

  /**
   * Leaves a group.
   * @returns whether the connection was in it
   * @throws TypeError or RangeError for a wrong name
   */
  leave(group: string): boolean

  /**
   * A group of the server by its name, whether this connection is in it or not.
   * @typeParam D of the `data` of its members: the caller who knows it states it
   * @throws TypeError or RangeError for a wrong name
   */
  group<D = unknown>(name: string): Group<ServerSocket<D>>

  /** The names of the groups that this connection is in, in the order in which it joined. */
  groups(): string[]
}
