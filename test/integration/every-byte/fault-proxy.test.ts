/** The proxy of these tests itself: what it keeps back it lets go, also to a receiver that was full. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Harmless } from '../../helpers/fault-flow.js'
import { FaultProxy } from '../../helpers/fault-proxy.js'

/** More than the system's buffers on the way take. */
const SENT_BYTES = 24 * 1024 * 1024

/** Where the buffers are nearly full. */
const FAULT_AT = 2_000_000
const QUIET_MS = 250

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until nothing more passes: for longer than `merge` waits for a sender that is quiet. */
async function untilFull(proxy: FaultProxy): Promise<void> {
  for (let passed = -1; passed !== proxy.passed || passed === 0;) {
    passed = proxy.passed
    await wait(QUIET_MS)
  }
}

/** Sends bytes through a proxy to a receiver that does not read at first. @returns how many arrive, with the FIN */
async function sendThrough(kind: Harmless): Promise<number> {
  let received = 0
  const server = createServer({ pauseOnConnect: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const proxy = await FaultProxy.to((server.address() as AddressInfo).port, {
    faults: [{ kind, from: 'client', at: FAULT_AT }],
  })
  const sender = connect(proxy.port, '127.0.0.1')
  try {
    const [receiver] = (await once(server, 'connection')) as [Socket]
    receiver.on('data', (bytes: Buffer) => (received += bytes.length)).pause()
    sender.end(Buffer.alloc(SENT_BYTES))
    await untilFull(proxy)
    receiver.resume()
    const ended = once(receiver, 'end')
    // Without an end it is over when nothing more comes.
    for (let last = -1; last !== received && !receiver.readableEnded;) {
      last = received
      await Promise.race([ended, wait(5_000)])
    }
    return received
  } finally {
    sender.destroy()
    proxy.close()
    server.close()
  }
}

it.each(['delay', 'split', 'merge'] as const)(
  '%s passes everything to a receiver that was full',
  async (kind) => {
    expect(await sendThrough(kind)).toBe(SENT_BYTES)
  },
)
