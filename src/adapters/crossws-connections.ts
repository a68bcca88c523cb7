/** The connections of one adapter of crossws, on a server of Hawser's. */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { contain, showValue } from '../check.js'
import { InvalidStateError, toError } from '../errors.js'
import type { Group } from '../hub/group.js'
import { showAs } from '../inspect.js'
import { isServed, isTaken } from '../server/http-upgrade.js'
import { isHttpServer } from '../server/listener.js'
import { LeftDecision, type AnswerDecision } from '../server/routed-decision.js'
import { accept, reject, type Accept, type Reject, type ServerService } from '../server/server-service.js'
import type { ServerSocket } from '../server/server-socket.js'
import type { UpgradeInfo } from '../server/upgrade-info.js'
import { coreOfServer, type WebSocketServer } from '../server/websocket-server.js'
import { isOfTheEnd } from '../service/handler-errors.js'
import { readDriver, readNamespace, readProtocol, type UpgradeAnswer } from './crossws-answers.js'
import { ConnectionHooks, type FurtherFailure } from './crossws-hooks.js'
import {
  groupName,
  groupNameOfAll,
  HawserMessage,
  HawserPeer,
  hooksOf,
  payloadOf,
  syncDataOf,
  wsErrorOf,
  type Arrival,
  type PeerHost,
} from './crossws-peer.js'
import { answerOf, webRequestOf, type NodeUpgrade } from './crossws-request.js'
import type {
  CrosswsHooks,
  CrosswsPublishOptions,
  CrosswsRequest,
  CrosswsResolve,
  CrosswsSync,
  CrosswsSyncDriver,
  CrosswsSyncMessage,
} from './crossws-types.js'
import { isForDecision, isResponse } from './framework-upgrades.js'

/** What of `sync` failed. */
export interface CrosswsSyncFailure {
  /** Its subscription, what it published, or the delivery of what it received. */
  readonly stage: 'subscribe' | 'publish' | 'delivery'
}

/** The options of the adapter, checked, and whether it made its server. */
export interface ConnectionsInit {
  readonly hooks: CrosswsHooks
  readonly resolve: CrosswsResolve | undefined
  readonly getNamespace: ((request: Request) => string) | undefined
  readonly handleProtocols: ((protocols: Set<string>, request: Request) => unknown) | undefined
  readonly sync: CrosswsSync | undefined
  readonly onError: ((error: unknown, failure: CrosswsSyncFailure) => unknown) | undefined
  readonly isOwn: boolean
}

/** What failed, for the server and its observers. */
const OF_CONNECTION = 'a connection of crossws'

/** What a hook `upgrade` may say of the subprotocol by a header, as it is done without `protocol`. */
const PROTOCOL_FIELD = 'sec-websocket-protocol'

/** The adapter: what `crosswsAdapter` gives. */
export class Connections implements PeerHost {
  static {
    showAs(Connections, 'CrosswsAdapter', ({ server, peers }) => ({
      server,
      namespaces: [...peers.keys()],
    }))
  }

  readonly server: WebSocketServer
  readonly peers = new Map<string, Set<HawserPeer>>()
  readonly sync: CrosswsSyncDriver | undefined
  readonly isJoined: boolean
  readonly #init: ConnectionsInit
  readonly #service: ServerService
  readonly #upgrades = new WeakMap<IncomingMessage, NodeUpgrade>()
  /** The requests that the caller made of them. */
  readonly #requests = new WeakMap<IncomingMessage, CrosswsRequest>()
  readonly #stopper = new AbortController()

  /** @throws TypeError for `sync` beside a backplane, and for one that makes no driver; what `sync` throws */
  constructor(server: WebSocketServer, init: ConnectionsInit) {
    this.server = server
    this.#init = init
    this.isJoined = server.backplaneStats !== null
    if (init.sync !== undefined && this.isJoined) {
      throw new TypeError(
        'sync must not be given beside a server with a backplane: a message would arrive twice',
      )
    }
    this.#service = this.#makeService()
    this.sync = init.sync === undefined ? undefined : this.#startSync(init.sync)
  }

  readonly handleUpgrade = (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    webRequest?: CrosswsRequest,
  ): Promise<void> => {
    this.server.handleUpgrade(request, socket, head, this.#serviceOf({ request, socket, head }, webRequest))
    return Promise.resolve()
  }

  readonly attach = (httpServer: HttpServer): void => {
    if (!isHttpServer(httpServer)) {
      throw new TypeError(`httpServer must be an http or https server, not ${showValue(httpServer)}`)
    }
    const { signal } = this.#stopper
    if (signal.aborted || this.server.signal.aborted) throw new InvalidStateError('the adapter was closed')
    const listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      const path = (request.url ?? '').split('?', 1)[0] as string
      if (!isTaken(socket) && !isServed(httpServer, path)) void this.handleUpgrade(request, socket, head)
    }
    httpServer.on('upgrade', listener)
    for (const one of [signal, this.server.signal]) {
      one.addEventListener('abort', () => httpServer.off('upgrade', listener), { once: true })
    }
  }

  readonly publish = (topic: string, data: unknown, options: CrosswsPublishOptions = {}): void => {
    const payload = payloadOf(data)
    this.#deliver(topic, payload, options)
    this.relay({ namespace: options.namespace ?? '', topic, data: syncDataOf(payload) })
  }

  readonly group = (topic: string, namespace: string): Group<ServerSocket> =>
    this.server.group(groupName(namespace, topic))

  readonly closeAll = (code?: number, reason?: string, force = false): void => {
    for (const peer of this.#all()) {
      if (force) peer.terminate()
      else peer.close(code, reason)
    }
  }

  readonly close = async (code = 1001, reason = ''): Promise<void> => {
    this.#stopper.abort()
    const ends = this.#init.isOwn
      ? [this.server.close({ code, reason })]
      : this.#all().map(({ raw }) => raw.close(code, reason))
    await Promise.all<unknown>(ends)
    await this.sync?.close?.()
  }

  relay(message: CrosswsSyncMessage): void {
    void this.sync?.publish(message)
  }

  failed(peer: HawserPeer, error: unknown): void {
    const report = (thrown: unknown): void => {
      this.#reportToServer(thrown, OF_CONNECTION)
    }
    const hooks = hooksOf(peer)
    if (!hooks.has('error')) {
      report(error)
      return
    }
    contain(() => hooks.call('error', peer, wsErrorOf(toError(error))), report)
  }

  readonly #failedFurther: FurtherFailure<HawserPeer> = (name, peer, error) => {
    // The first failure ended the connection, and with it what this hook waited for.
    if (isOfTheEnd(peer.raw, toError(error))) return
    if (name === 'error') this.#reportToServer(error, OF_CONNECTION)
    else this.failed(peer, error)
  }

  #all(): HawserPeer[] {
    return [...this.peers.values()].flatMap((peers) => [...peers])
  }

  #deliver(topic: string, payload: ReturnType<typeof payloadOf>, options: CrosswsPublishOptions): void {
    const { namespace, compress } = options
    const send = (name: string): unknown => this.server.group(name).send(payload, { compress })
    if (namespace !== undefined && namespace !== '') send(groupName(namespace, topic))
    else if (this.isJoined) send(groupNameOfAll(topic))
    else for (const one of this.peers.keys()) send(groupName(one, topic))
  }

  /** Starts the driver, and reports what of it fails. */
  #startSync(sync: CrosswsSync): CrosswsSyncDriver {
    const driver = readDriver(sync({ id: crypto.randomUUID() }))
    const report = (stage: CrosswsSyncFailure['stage'], error: unknown): void => {
      const { onError } = this.#init
      const toServer = (thrown: unknown): void => {
        this.#reportToServer(thrown, `the sync of crossws (${stage})`)
      }
      if (onError === undefined) {
        toServer(error)
        return
      }
      contain(() => onError(error, { stage }), toServer)
    }
    const attempt = async (stage: CrosswsSyncFailure['stage'], act: () => unknown): Promise<void> => {
      try {
        await act()
      } catch (error) {
        report(stage, error)
      }
    }
    const deliver = (message: CrosswsSyncMessage): void => {
      try {
        const { namespace, topic, data } = message
        this.#deliver(topic, data, { namespace })
      } catch (error) {
        report('delivery', error)
      }
    }
    void attempt('subscribe', () => driver.subscribe(deliver))
    return {
      subscribe: (own) => driver.subscribe(own),
      publish: (message) => attempt('publish', () => driver.publish(message)),
      close: () => driver.close?.(),
    }
  }

  #reportToServer(error: unknown, what: string): void {
    coreOfServer(this.server).reportError(toError(error), what)
  }

  /** The service of all connections: one object, whatever hooks a connection has. */
  #makeService(): ServerService {
    const peerOf = (socket: ServerSocket): HawserPeer => socket.data as HawserPeer
    return {
      // Hooks do not wait for one another, as in crossws: only the limit of messages that wait ends that.
      concurrency: coreOfServer(this.server).options.limits.maxQueuedMessages,
      onUpgrade: (info) => this.#decide(info) as Promise<Accept<unknown>>,
      onOpen: (socket) => this.#open(socket),
      onMessage: (socket, data: string | Buffer) => {
        const peer = peerOf(socket)
        return hooksOf(peer).call('message', peer, new HawserMessage(data, peer))
      },
      onDrain: (socket) => hooksOf(peerOf(socket)).call('drain', peerOf(socket)),
      onPing: (socket, data) => hooksOf(peerOf(socket)).call('ping', peerOf(socket), data),
      onPong: (socket, data) => {
        const peer = peerOf(socket)
        return peer.isOfHeartbeat(data) ? undefined : hooksOf(peer).call('pong', peer, data)
      },
      onError: (socket, error) => {
        const peer = peerOf(socket)
        const hooks = hooksOf(peer)
        if (hooks.has('error')) return hooks.call('error', peer, wsErrorOf(error))
        // Observers have heard of it as an error of the connection.
        coreOfServer(this.server).options.onError(toError(error), OF_CONNECTION)
        return undefined
      },
      onClose: (socket, { code, reason }) => {
        const peer = peerOf(socket)
        peer.peers.delete(peer)
        if (peer.peers.size === 0) this.peers.delete(peer.namespace)
        return hooksOf(peer).call('close', peer, { code, reason })
      },
    }
  }

  #serviceOf(upgrade: NodeUpgrade, webRequest: CrosswsRequest | undefined): ServerService {
    this.#upgrades.set(upgrade.request, upgrade)
    if (webRequest !== undefined) this.#requests.set(upgrade.request, webRequest)
    return this.#service
  }

  #open(socket: ServerSocket): Promise<void> | undefined {
    const arrival = socket.data as Arrival
    const { namespace, hooks } = arrival
    let peers = this.peers.get(namespace)
    if (peers === undefined) this.peers.set(namespace, (peers = new Set()))
    const peer = new HawserPeer(socket, arrival, peers, this)
    socket.data = peer
    peers.add(peer)
    return hooks.call('open', peer)
  }

  async #decide(info: UpgradeInfo): Promise<Accept<Arrival> | Reject | AnswerDecision | LeftDecision> {
    const upgrade = this.#upgrades.get(info.raw as IncomingMessage) as NodeUpgrade
    const request = this.#requests.get(upgrade.request) ?? webRequestOf(upgrade)
    if (request === null) return reject(400)
    const { hooks: shared, resolve } = this.#init
    const hooks = new ConnectionHooks(shared, this.#failedFurther)
    const made = await hooks.upgrade(request, resolve)
    if (isResponse(made)) return answerOf(made)
    if (made?.handled === true) return new LeftDecision()
    const { namespace, context, headers, protocol } = made ?? ({} as Partial<UpgradeAnswer>)
    const pairs = [...(headers ?? [])]
    const chosen =
      protocol ??
      pairs.find(([name]) => name === PROTOCOL_FIELD)?.[1] ??
      (await this.#chooseProtocol(info.protocols, request))
    return accept({
      data: {
        request,
        namespace: namespace ?? this.#namespaceOf(request),
        context: Object.assign(request.context ?? {}, context),
        hooks,
      },
      headers: pairs.filter(([name]) => isForDecision(name)),
      ...(chosen !== undefined && { protocol: chosen }),
    })
  }

  #namespaceOf(request: Request): string {
    const { getNamespace } = this.#init
    return getNamespace === undefined ? new URL(request.url).pathname : readNamespace(getNamespace(request))
  }

  async #chooseProtocol(offered: readonly string[], request: Request): Promise<string | undefined> {
    const { handleProtocols } = this.#init
    if (handleProtocols === undefined || offered.length === 0) return undefined
    return readProtocol(await handleProtocols(new Set(offered), request))
  }
}
