import { lookup } from 'node:dns/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Why the command cannot listen, in one line. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** The machine lacks this address, as containers without IPv6 do: the other addresses of the name will do. */
const ADDRESS_IS_MISSING: readonly unknown[] = ['EADDRNOTAVAIL', 'EAFNOSUPPORT']
const PORT_ATTEMPTS = 5

/**
 * Listens on every address that a host name has: `localhost` is often two, and a browser may try either first.
 * With one of them alone, the other address could belong to another program.
 * @param createServer makes one server for each address
 * @param port 0 takes one that is free on all of them
 * @returns the servers that listen, at least one, all on the same port
 * @throws ListenError
 */
export async function listenOnHost(
  createServer: () => Server,
  host: string,
  port: number,
): Promise<readonly [Server, ...Server[]]> {
  try {
    const found = await lookup(host, { all: true })
    const addresses = new Set(found.map(({ address }) => address))
    return await listenOnAll(createServer, [...addresses], port)
  } catch (error) {
    throw explain(error, host, port)
  }
}

/**
 * As {@link listenOnHost}, for addresses; those that the machine lacks are skipped, if there are others.
 * @throws the system's error
 */
export async function listenOnAll(
  createServer: () => Server,
  addresses: readonly string[],
  port: number,
): Promise<readonly [Server, ...Server[]]> {
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = []
    try {
      return await listenOnEach(createServer, addresses, port, servers)
    } catch (error) {
      for (const server of servers) server.close()
      // The port that was free on one address may have been taken on another.
      if (port === 0 && codeOf(error) === 'EADDRINUSE' && attempt < PORT_ATTEMPTS) continue
      throw error
    }
  }
}

async function listenOnEach(
  createServer: () => Server,
  addresses: readonly string[],
  port: number,
  servers: Server[],
): Promise<readonly [Server, ...Server[]]> {
  let missing: unknown
  let common = port
  for (const address of addresses) {
    const server = createServer()
    try {
      await listen(server, address, common)
    } catch (error) {
      if (!ADDRESS_IS_MISSING.includes(codeOf(error))) throw error
      missing = error
      continue
    }
    servers.push(server)
    common = (server.address() as AddressInfo).port
  }
  const [first, ...others] = servers
  if (first === undefined) throw missing
  return [first, ...others]
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | undefined)?.code

function explain(error: unknown, host: string, port: number): ListenError {
  const at = `port ${String(port)} on ${host}`
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new ListenError(`${at} is in use: choose another one with --port, or --port 0 for any free one`)
    case 'EACCES':
      return new ListenError(`no permission to listen on ${at}: choose another one with --port`)
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new ListenError(`${host} is no address of this machine: choose another one with --host`)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(`there is no host named ${host}: choose another one with --host`)
    default:
      return new ListenError(
        `cannot listen on ${at}: ${error instanceof Error ? error.message : String(error)}`,
      )
  }
}
