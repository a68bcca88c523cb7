import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientSocket } from './client-socket.js'

const STORAGE = new AsyncLocalStorage<OpeningScope>()

/** How many run, of all clients. */
let runningScopes = 0

/** An `onOpen` of a client that reconnects, and all that it awaits: what it sends is told from what others send meanwhile. */
export class OpeningScope {
  readonly connection: ClientSocket
  /** The client. */
  private readonly owner: object
  private isRunning = true
  /** The `onOpen` of another client in which this one was called. */
  private readonly outer: OpeningScope | undefined

  constructor(owner: object, connection: ClientSocket) {
    this.owner = owner
    this.connection = connection
    let outer = STORAGE.getStore()
    // Those that are done are not kept.
    while (outer?.isRunning === false) ({ outer } = outer)
    this.outer = outer
    runningScopes++
  }

  /** @returns the connection whose `onOpen` makes this call, or null */
  static connectionOf(owner: object): ClientSocket | null {
    let scope = STORAGE.getStore()
    while (scope !== undefined && !(scope.isRunning && scope.owner === owner)) scope = scope.outer
    return scope?.connection ?? null
  }

  run<T>(call: () => T): T {
    return STORAGE.run(this, call)
  }

  /** `onOpen` is done. */
  end(): void {
    if (!this.isRunning) return
    this.isRunning = false
    runningScopes--
    // Node 20 makes every promise of the process slower while a storage is in use.
    if (runningScopes === 0) STORAGE.disable()
  }
}
