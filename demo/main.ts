#!/usr/bin/env node
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { helpFor, readArguments } from './arguments.js'
import { runConnect } from './connect/connect-command.js'
import { EXIT, SIGNAL_EXITS } from './connect/exit-codes.js'
import { DemoServer } from './demo-server.js'
import { EchoServer } from './echo-server.js'
import { endOnSignals } from './ending.js'
import { UsageError } from './flags.js'
import { ListenError } from './listen.js'
import type { ServeCommand } from './serve-arguments.js'

const argv = process.argv.slice(2)

async function main(): Promise<void> {
  const command = readArguments(argv)
  switch (command.kind) {
    case 'help':
      process.stdout.write(command.text)
      return
    case 'version':
      process.stdout.write(`${version()}\n`)
      return
    case 'serve':
      await serve(command)
      return
    case 'connect':
      process.exitCode = await runConnect(command, {
        stdin: process.stdin,
        stdout: process.stdout,
        stderr: process.stderr,
        env: process.env,
        signals: process,
        exit: (code) => {
          process.exit(code)
        },
      })
  }
}

function version(): string {
  const manifest = createRequire(import.meta.url)('hawser/package.json') as { readonly version: string }
  return manifest.version
}

async function serve(command: ServeCommand): Promise<void> {
  const server = command.isEcho ? await EchoServer.start(command) : await startDemo(command)
  // The first signal closes and lets the process end by itself; the second does not wait.
  endOnSignals(process, ['SIGINT', 'SIGTERM'], {
    close: () => void server.close(),
    cut: (signal) => {
      server.terminate()
      process.exit(SIGNAL_EXITS[signal])
    },
  })
  console.log(
    command.isEcho
      ? `Hawser echoes at ${server.url} and every path below (Ctrl+C ends it)`
      : `Hawser serves ${server.url} (Ctrl+C ends it)`,
  )
}

const startDemo = ({ host, port, origins }: ServeCommand): Promise<DemoServer> =>
  DemoServer.start({
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

try {
  await main()
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`hawser: ${error.message} (${helpFor(argv)} lists the flags)`)
    process.exitCode = EXIT.USAGE
  } else if (error instanceof ListenError) {
    console.error(`hawser: ${error.message}`)
    process.exitCode = EXIT.FAILED
  } else {
    throw error
  }
}
