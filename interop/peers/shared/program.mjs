/** What every peer's program in JavaScript does: README.md of interop has the protocol. */
import { createInterface } from 'node:readline'

export const PROTOCOL = 'interop.b'

export function report(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`)
}

/** What is asked for in a URL or its path. */
export function settings(url) {
  const { pathname, searchParams } = new URL(url, 'ws://localhost')
  return {
    id: searchParams.get('case'),
    action: searchParams.get('do') ?? 'echo',
    code: searchParams.has('code') ? Number(searchParams.get('code')) : undefined,
    reason: searchParams.get('reason') ?? undefined,
    isRefused: pathname === '/401',
  }
}

/**
 * @param {{ serve?: (deflate: object | null) => Promise<number>, run?: (spec: { case: string, url: string,
 *   protocols: string[], deflate: object | null }) => Promise<object> }} program `serve` gives the port, `run` the report
 */
export async function main({ serve, run }, [role, configs] = process.argv.slice(2)) {
  if (role === 'serve') {
    for (const { name, deflate } of JSON.parse(configs))
      report({ listening: name, port: await serve(deflate) })
    return
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const spec = JSON.parse(line)
    const fields = await run(spec).catch((error) => ({ error: String(error) }))
    report({ case: spec.case, ...fields })
  }
}
