/** A driver of crossws's sync over a backplane of Hawser's. */
import { showValue } from '../check.js'
import type { Backplane } from '../backplane/backplane.js'
import { BACKPLANE_VERSION } from '../backplane/envelope.js'
import type { CrosswsSync, CrosswsSyncMessage } from './crossws-types.js'

/** The group that all drivers watch. No connection is in it: servers of Hawser's on the same backplane do not get its messages. */
const GROUP = 'hawser/crossws'

const LINE_FEED = 10

/** A message of crossws as one payload: a line of JSON with the namespace and the topic, then the data as it is. */
function encode({ namespace, topic, data }: CrosswsSyncMessage): string | Uint8Array {
  const head = `${JSON.stringify([namespace, topic])}\n`
  return typeof data === 'string' ? head + data : new Uint8Array(Buffer.concat([Buffer.from(head), data]))
}

/** @returns null for a payload that is not a message of crossws */
function decode(payload: unknown): CrosswsSyncMessage | null {
  const isText = typeof payload === 'string'
  if (!isText && !(payload instanceof Uint8Array)) return null
  const end = isText ? payload.indexOf('\n') : payload.indexOf(LINE_FEED)
  if (end === -1) return null
  try {
    const head = isText ? payload.slice(0, end) : Buffer.from(payload.subarray(0, end)).toString()
    const [namespace, topic] = JSON.parse(head) as readonly unknown[]
    if (typeof namespace !== 'string' || typeof topic !== 'string') return null
    return { namespace, topic, data: isText ? payload.slice(end + 1) : payload.subarray(end + 1) }
  } catch {
    return null
  }
}

/**
 * Makes a `sync` for an adapter of crossws, this one or one of its own, over a backplane: workers of node:cluster, threads, or
 * what the application has. Where a server of Hawser's has the option `backplane`, its topics are joined without it.
 * @param backplane of this instance alone, such as `clusterBackplane()`
 * @returns the option `sync`
 * @throws TypeError for what is not a backplane
 */
export function backplaneSync(backplane: Backplane): CrosswsSync {
  if (typeof (backplane as Partial<Backplane> | null | undefined)?.publish !== 'function') {
    throw new TypeError(`backplane must be a backplane, not ${showValue(backplane)}`)
  }
  return ({ id }) => ({
    async subscribe(deliver) {
      await backplane.start(id, (envelope) => {
        const { kind, group, payload } = (envelope ?? {}) as Readonly<Record<string, unknown>>
        const message = kind === 'group' && group === GROUP ? decode(payload) : null
        if (message !== null) deliver(message)
      })
      await backplane.watch(GROUP)
    },
    async publish(message) {
      const envelope = { kind: 'group', group: GROUP, payload: encode(message), compress: true } as const
      const isTaken = await backplane.publish({ ...envelope, version: BACKPLANE_VERSION, from: id, to: null })
      if (!isTaken)
        throw new Error('the backplane did not take the message, which is lost at other instances')
    },
    async close() {
      await backplane.close()
    },
  })
}
