import { PreparedMessage } from '../connection/prepared-message.js'
import type { Hub } from '../hub/hub.js'
import type { Remote } from '../hub/remote.js'
import { epochsOf } from '../recovery/memory-history.js'
import { Recovery } from '../recovery/recovery.js'
import type { AcceptedSocket } from './accepted-socket.js'
import type { ResolvedServerOptions } from './options.js'
import { lineOf } from './recovering-socket.js'

/** The server, as its recoverable groups need it: {@link hub} may be there later. */
interface Owner {
  readonly options: ResolvedServerOptions
  readonly hub: Hub<AcceptedSocket>
  readonly node: Pick<Remote, 'send'> | null
  reportError(error: Error, what: string): void
}

/**
 * Makes the recoverable groups of a server.
 * @returns null: it has none
 * @throws TypeError for a history of this process alone and a backplane to others
 */
export function makeRecovery(owner: Owner): Recovery<AcceptedSocket> | null {
  const { options } = owner
  const settings = options.recovery
  if (settings === null) return null
  if (options.backplane?.reachesOtherProcesses === true && epochsOf(settings.history) !== null) {
    throw new TypeError(
      'recovery.history must be a store that all processes share, such as redisHistory or jetStreamHistory, where the backplane leads to other processes, not memoryHistory()',
    )
  }
  return new Recovery<AcceptedSocket>({
    settings,
    membersOf: (group) => owner.hub.membersOf(group),
    lineOf,
    share: (group, data, compress, position) => {
      const payload = typeof data === 'string' ? data : new PreparedMessage(data)
      owner.node?.send({ kind: 'group', group, payload, compress, position }, null)
    },
    onError: (error) => {
      owner.reportError(error, 'the history of recoverable groups')
    },
  })
}
