/** Scripts of Redis over the client of the application, which stays its own: nothing of it is changed or closed. */

/** An argument or a key of a script. */
export type Argument = string | Buffer

/** What differs between the clients. */
export interface RedisCommands {
  /**
   * Runs a script.
   * @param command EVALSHA with the hash of the script, or EVAL with the script
   * @returns the answer, in which texts are Buffers
   */
  run(
    command: 'EVALSHA' | 'EVAL',
    script: string,
    keys: readonly [string, string],
    args: readonly Argument[],
  ): Promise<unknown>
  /** Whether a command is sent now. A client keeps one that is not, for ever if need be. */
  isReady(): boolean
  /** Whether it is closed, and not by itself opened again. */
  isClosed(): boolean
  /** @returns forgets the listener */
  onceReady(listener: () => void): () => void
}

interface Emitter {
  once(event: 'ready', listener: () => void): unknown
  removeListener(event: 'ready', listener: () => void): unknown
}

const onceReady =
  (client: Emitter) =>
  (listener: () => void): (() => void) => {
    client.once('ready', listener)
    return () => {
      client.removeListener('ready', listener)
    }
  }

/** Whether an object has methods of these names, and is no client that is only almost one. */
const hasMethods = (value: object, names: readonly string[]): boolean =>
  names.every((name) => typeof (value as Partial<Record<string, unknown>>)[name] === 'function')

/** What is used of a client of `redis`, version 4 and later. */
interface NodeRedis extends Emitter {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: { readonly legacyMode?: unknown }
  /** With `legacyMode` of version 4, in which commands answer to a callback: the same with promises. */
  readonly v4?: NodeRedis
  sendCommand(args: readonly Argument[], options: object): Promise<unknown>
}

/** What is used of its cluster. */
interface NodeRedisCluster extends Emitter {
  readonly isOpen: boolean
  sendCommand(key: string, isReadonly: boolean, args: readonly Argument[], options: object): Promise<unknown>
}

const NODE_REDIS_METHODS = [
  'duplicate',
  'connect',
  'subscribe',
  'publish',
  'sendCommand',
  'once',
  'removeListener',
]

const BULK_STRING = 0x24
const SIMPLE_STRING = 0x2b
/** Texts as Buffers: of version 4, and of later ones. */
const AS_BUFFERS = {
  returnBuffers: true,
  typeMapping: { [BULK_STRING]: Buffer, [SIMPLE_STRING]: Buffer },
}

/**
 * Refuses a sentinel of `redis` (5 or later), whose methods have the names of a client's and take other arguments.
 * @throws TypeError that says what to take
 */
export function refuseSentinel(client: unknown): void {
  if (
    typeof client !== 'object' ||
    client === null ||
    !hasMethods(client, [...NODE_REDIS_METHODS, 'acquire'])
  )
    return
  throw new TypeError(
    'client must be a client of redis (4 or later) or ioredis (5 or later), and a sentinel of redis is not supported: take ioredis with its option sentinels',
  )
}

function nodeRedisCommands(client: object): RedisCommands | null {
  if (!hasMethods(client, NODE_REDIS_METHODS) || 'acquire' in client) return null
  if ('masters' in client) {
    const cluster = client as unknown as NodeRedisCluster
    return {
      run: (command, script, keys, args) =>
        cluster.sendCommand(keys[0], false, [command, script, '2', ...keys, ...args], AS_BUFFERS),
      // One shard may be there while another is not.
      isReady: () => true,
      isClosed: () => !cluster.isOpen,
      onceReady: onceReady(cluster),
    }
  }
  const { isOpen, isReady } = client as Partial<NodeRedis>
  if (typeof isOpen !== 'boolean' || typeof isReady !== 'boolean') return null
  const single = client as NodeRedis
  const sender = single.options?.legacyMode === true && single.v4 !== undefined ? single.v4 : single
  return {
    run: (command, script, keys, args) =>
      sender.sendCommand([command, script, '2', ...keys, ...args], AS_BUFFERS),
    isReady: () => single.isReady,
    isClosed: () => !single.isOpen,
    onceReady: onceReady(single),
  }
}

/** What is used of a client of `ioredis`, version 5 and later, and of its cluster. */
interface Ioredis extends Emitter {
  readonly status: string
  readonly isCluster: boolean
  // With `enableAutoPipelining`, `callBuffer` takes no command but the names of those it knows as methods.
  evalBuffer(script: string, keys: 2, ...args: Argument[]): Promise<unknown>
  evalshaBuffer(hash: string, keys: 2, ...args: Argument[]): Promise<unknown>
}

/** In which a command is kept for later. In `wait` it makes the client connect. */
const IOREDIS_WAITING: ReadonlySet<string> = new Set(['connecting', 'connect', 'reconnecting', 'close'])

function ioredisCommands(client: object): RedisCommands | null {
  if (!hasMethods(client, ['duplicate', 'evalBuffer', 'evalshaBuffer', 'once', 'removeListener'])) return null
  const { status, isCluster } = client as Partial<Ioredis>
  if (typeof status !== 'string' || typeof isCluster !== 'boolean') return null
  const ioredis = client as Ioredis
  return {
    run: (command, script, keys, args) =>
      command === 'EVAL'
        ? ioredis.evalBuffer(script, 2, ...keys, ...args)
        : ioredis.evalshaBuffer(script, 2, ...keys, ...args),
    isReady: () => !IOREDIS_WAITING.has(ioredis.status),
    isClosed: () => ioredis.status === 'end',
    onceReady: onceReady(ioredis),
  }
}

/** @returns null: it is not a client of `redis` or `ioredis`, nor a cluster of either */
export function redisCommands(client: unknown): RedisCommands | null {
  if (typeof client !== 'object' || client === null) return null
  return nodeRedisCommands(client) ?? ioredisCommands(client)
}
