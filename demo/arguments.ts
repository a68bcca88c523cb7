import { CONNECT_HELP, readConnectArguments, type ConnectCommand } from './connect/connect-arguments.js'
import { quote, UsageError } from './flags.js'
import { readServeArguments, SERVE_HELP, type ServeCommand } from './serve-arguments.js'

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | ServeCommand
  | ConnectCommand

/** What `hawser --help` prints. */
export const HELP = `hawser: WebSockets from the command line

  hawser connect URL [flags]   a client in the terminal, or between pipes
  hawser serve [flags]         an echo, a chat and a page (the default)
  hawser --version, -V         prints the version
  hawser --help, -h            prints this

${CONNECT_HELP}
${SERVE_HELP}`

/**
 * Reads the command line.
 * @param argv without the program and the script
 * @throws UsageError
 */
export function readArguments(argv: readonly string[]): Command {
  const [first = '', ...rest] = argv
  switch (first) {
    case 'connect':
      return readConnectArguments(rest) ?? { kind: 'help', text: CONNECT_HELP }
    case 'serve':
      return readServeArguments(rest) ?? { kind: 'help', text: SERVE_HELP }
    case 'help':
      return { kind: 'help', text: HELP }
    case '--version':
    case '-V':
      return { kind: 'version' }
    default:
      if (first !== '' && !first.startsWith('-')) {
        // It may be a URL whose command was forgotten, with a password in it.
        const shown = first.includes(':') ? '' : ` ${quote(first)}`
        throw new UsageError(`unknown command${shown}: there are connect and serve`)
      }
      return readServeArguments(argv) ?? { kind: 'help', text: HELP }
  }
}

/** Where the flags that a command line may have are listed. */
export const helpFor = (argv: readonly string[]): string =>
  argv[0] === 'connect' || argv[0] === 'serve' ? `hawser ${argv[0]} --help` : 'hawser --help'
