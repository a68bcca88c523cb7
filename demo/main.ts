#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
import { HELP, readArguments, UsageError, type Command } from './arguments.js'
import { DemoServer } from './demo-server.js'
import { ListenError } from './listen.js'

/** As shells expect of a wrong command line. */
const EXIT_USAGE = 2
const EXIT_FAILURE = 1
/** What a shell reports for a program that a signal ended: 128 and its number. */
const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143 } as const
/** npm forwards a Ctrl+C that the terminal has sent to every process already: both signals are one request. */
const SAME_REQUEST_MS = 300

async function main(): Promise<void> {
  const command = readArguments(process.argv.slice(2))
  if (command.kind === 'help') process.stdout.write(HELP)
  else await serve(command)
}

async function serve({ host, port, origins }: Extract<Command, { kind: 'serve' }>): Promise<void> {
  const server = await DemoServer.start({
    host,
    port,
    origins,
    pageDirectory: fileURLToPath(new URL('page/', import.meta.url)),
    onRefusedOrigin: (origin) => {
      console.error(
        `hawser: refused a page of another origin, ${JSON.stringify(origin)}: --origin lets it connect`,
      )
    },
  })
  endOnSignal(server)
  console.log(`Hawser serves ${server.url} (Ctrl+C ends it)`)
}

/** The first signal closes and lets the process end by itself; the second does not wait. */
function endOnSignal(server: DemoServer): void {
  let firstAt: number | null = null
  const end = (signal: keyof typeof SIGNAL_EXITS): void => {
    const now = performance.now()
    if (firstAt === null) {
      firstAt = now
      void server.close()
    } else if (now - firstAt > SAME_REQUEST_MS) {
      server.terminate()
      process.exit(SIGNAL_EXITS[signal])
    }
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}

try {
  await main()
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`hawser: ${error.message} (hawser --help lists the flags)`)
    process.exitCode = EXIT_USAGE
  } else if (error instanceof ListenError) {
    console.error(`hawser: ${error.message}`)
    process.exitCode = EXIT_FAILURE
  } else {
    throw error
  }
}
