import { connect, type ClientSocket, type ConnectOptions } from 'hawser'
import { endOnSignals, type EndSignal } from '../ending.js'
import { UsageError } from '../flags.js'
import type { ConnectCommand } from './connect-arguments.js'
import { connectOptions } from './connect-options.js'
import { EXIT, SIGNAL_EXITS } from './exit-codes.js'
import { explainHandshake } from './failures.js'
import { PingTimes } from './ping-times.js'
import { Reconnects } from './reconnects.js'
import { Screen, type Streams } from './screen.js'
import { Session } from './session.js'

/** The process that the command is, as far as it needs it. */
export interface Host extends Streams {
  /** Where signals come from. */
  readonly signals: NodeJS.EventEmitter
  /** Ends the process at once. */
  exit(code: number): void
}

/** Closing by hand is a normal end; a signal to the process makes the client go away (RFC 6455 section 7.4.1). */
const CLOSE_CODES = { SIGINT: 1000, SIGTERM: 1001, SIGHUP: 1001 } as const satisfies Record<EndSignal, number>

/**
 * `hawser connect`.
 * @returns the exit code
 * @throws UsageError
 */
export async function runConnect(command: ConnectCommand, host: Host): Promise<number> {
  const attempt = new AbortController()
  let session: Session | null = null
  let socket: ClientSocket<undefined> | null = null
  let interrupts = 0
  const close = (signal: EndSignal): void => {
    if (session === null) attempt.abort(signal)
    else session.close(CLOSE_CODES[signal])
  }
  const cut = (signal: EndSignal): void => {
    screen.prompt?.close()
    socket?.terminate()
    host.exit(SIGNAL_EXITS[signal])
  }
  const screen = new Screen(command, host, (error) => {
    const isUnread = (error as NodeJS.ErrnoException).code === 'EPIPE'
    if (!isUnread) screen.error(`the output cannot be written: ${error.message}`)
    session?.finish(isUnread ? EXIT.CLEAN : EXIT.FAILED)
  })
  const pings = new PingTimes()
  const stopListening = endOnSignals(host.signals, ['SIGINT', 'SIGTERM', 'SIGHUP'], { close, cut })
  try {
    const options = connectOptions(command, (report) => {
      screen.frame(report)
    })
    const reconnects = command.reconnects ? new Reconnects(screen) : null
    socket = await open(command.url, {
      ...options,
      ...(reconnects === null ? {} : { reconnect: reconnects.options }),
      signal: attempt.signal,
      handlers: {
        onPong: (_socket, payload) => {
          const ms = pings.end(payload.toString())
          if (ms !== null) screen.result(`pong after ${ms.toFixed(1)} ms`)
        },
      },
    })
    session = new Session(socket, command, host, screen, pings, reconnects)
    return await session.run(() => {
      if (++interrupts === 1) close('SIGINT')
      else cut('SIGINT')
    })
  } catch (error) {
    host.stdin.destroy()
    if (attempt.signal.aborted) return SIGNAL_EXITS[attempt.signal.reason as EndSignal]
    const failure = explainHandshake(error)
    if (failure === null) throw error
    screen.error(failure.message)
    return failure.code
  } finally {
    stopListening()
  }
}

/** @throws UsageError for what Hawser refuses before it sends anything: a URL, a header, a subprotocol */
async function open(url: string, options: ConnectOptions<undefined>): Promise<ClientSocket<undefined>> {
  try {
    return await connect(url, options)
  } catch (error) {
    const isRefused =
      error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError
    throw isRefused ? new UsageError(error.message) : error
  }
}
