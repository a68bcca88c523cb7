import { EventEmitter } from 'node:events'
import { Agent, type ClientRequestArgs } from 'node:http'
import { Duplex } from 'node:stream'
import { isThenable, showValue } from '../check.js'
import { HandshakeError, toError } from '../errors.js'
import { connectionFailed, discard, ignoreErrors, type BodySignals } from './exchange.js'
import { reasonOf } from './named-errors.js'
import type { Target } from './websocket-url.js'

type Done = (error: Error | null | undefined, stream?: unknown) => void

/** The methods of an Agent that make a connection. */
interface AgentMethods {
  createConnection(options: object, done: Done): unknown
  /** How node:http calls the one above. Agents of the package agent-base connect in it. */
  readonly createSocket?: (request: object, options: object, done: Done) => unknown
}

/** Checks for an Agent, or none. */
export function checkAgent(name: string, value: unknown): Agent | undefined {
  if (value === undefined) return undefined
  const isAgent =
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<AgentMethods>).createConnection === 'function'
  if (!isAgent) throw new TypeError(`${name} must be an Agent of node:http, not ${showValue(value)}`)
  return value as Agent
}

/** The request of which an agent makes the connection, as far as agents look at it. */
class AgentRequest extends EventEmitter {
  readonly method = 'GET'
  readonly protocol: string
  readonly host: string
  readonly path: string
  readonly #target: Target

  constructor(target: Target) {
    super()
    this.protocol = target.secure ? 'https:' : 'http:'
    this.host = target.hostname
    this.path = target.target
    this.#target = target
  }

  getHeader(name: string): string | undefined {
    return name.toLowerCase() === 'host' ? this.#target.host : undefined
  }
}

/**
 * Tells what the agent left at the request, as node:http does, once the stream is listened to: https-proxy-agent gives the
 * response of a proxy that refused then.
 */
function tellSocket(request: AgentRequest, stream: Duplex): void {
  try {
    request.emit('socket', stream)
  } catch (error) {
    stream.destroy(toError(error))
  }
}

/** Gives up what an agent made instead of a stream. @returns how an error shows it */
function dropped(made: unknown): string {
  if (!isThenable(made)) return showValue(made)
  Promise.resolve(made).then(
    (stream) => {
      if (stream instanceof Duplex) discard(stream)
    },
    () => undefined,
  )
  return 'a promise: createConnection must return it, or give it to its callback'
}

/**
 * An agent, as the `createSocket` of node:http is called on it, which listens to whatever its `createConnection` makes: a
 * promise fails there, and nobody hears what it rejects with. A promise goes to `done` instead.
 */
const hearing = (agent: Agent, done: Done): Agent =>
  new Proxy(agent, {
    get(_, name): unknown {
      const value: unknown = Reflect.get(agent, name)
      if (typeof value !== 'function') return value
      if (name !== 'createConnection') return value.bind(agent)
      return (options: unknown, created: Done): unknown => {
        const heard: Done = (error, stream) => {
          ;(isThenable(stream) ? done : created)(error, stream)
        }
        const stream: unknown = Reflect.apply(value, agent, [options, heard])
        if (!isThenable(stream)) return stream
        done(null, stream)
        return undefined
      }
    },
  })

/** Whether an agent connects in the `createSocket` of node:http, which calls its `createConnection`. */
const isOfNode = (createSocket: unknown): boolean =>
  createSocket === (Agent.prototype as unknown as Readonly<Record<string, unknown>>)['createSocket']

/**
 * Lets an agent make the connection. It keeps no count of it afterwards.
 * @returns the stream as the agent made it; it may still connect
 * @throws HandshakeError with what the agent throws or reports as cause; the reason of the signal; TypeError for an agent
 *   that gives something else than a stream
 */
export function connectByAgent(
  agent: Agent,
  options: ClientRequestArgs,
  target: Target,
  signals: BodySignals,
): Promise<Duplex> {
  const { signal } = signals
  return new Promise((resolve, reject) => {
    let isOver = false
    const request = new AgentRequest(target)
    const finish = (settle: () => void): void => {
      isOver = true
      signal.removeEventListener('abort', abort)
      settle()
    }
    const abort = (): void => {
      finish(() => {
        reject(reasonOf(signals, 'the agent made no connection in time'))
      })
    }
    const done: Done = (error, stream) => {
      if (isOver) {
        if (stream instanceof Duplex && (error === undefined || error === null)) discard(stream)
        else dropped(stream)
        return
      }
      finish(() => {
        if (error !== undefined && error !== null) {
          reject(error instanceof HandshakeError ? error : connectionFailed(error))
        } else if (stream instanceof Duplex) {
          // The agent lets go of it, as it does when node:http upgrades.
          stream.emit('agentRemove')
          ignoreErrors(stream)
          resolve(stream)
          setImmediate(tellSocket, request, stream)
        } else {
          reject(new TypeError(`agent must make a stream, not ${dropped(stream)}`))
        }
      })
    }
    signal.addEventListener('abort', abort)
    try {
      const methods = agent as unknown as AgentMethods
      const all = { ...options, protocol: request.protocol, secureEndpoint: target.secure }
      if (typeof methods.createSocket === 'function') {
        const caller = isOfNode(methods.createSocket) ? hearing(agent, done) : agent
        const result: unknown = Reflect.apply(methods.createSocket, caller, [request, all, done])
        // One that is async answers by its callback all the same.
        if (isThenable(result)) {
          Promise.resolve(result).catch((error: unknown) => {
            done(toError(error))
          })
        }
      } else {
        const stream = methods.createConnection(all, done)
        if (stream !== undefined) done(null, stream)
      }
    } catch (error) {
      done(toError(error))
    }
  })
}
