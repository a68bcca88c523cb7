/** What the clients have in common: so many connections, on each so many messages in flight. */
const options = Object.fromEntries(process.argv.slice(2).map((text) => text.split('=')))
const { port, connections, inFlight, bytes, seconds, warmup } = Object.fromEntries(
  Object.entries(options).map(([name, value]) => [name, Number(value)]),
)
const url = `ws://127.0.0.1:${port}/`
const payload = 'abcdefghijklmnopqrstuvwxyz'.repeat(Math.ceil(bytes / 26)).slice(0, bytes)

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function fail(message) {
  console.error(`load: ${message}`)
  process.exit(1)
}

/**
 * Opens all, answers each reply with the next message, prints how many came in a second.
 * @param open `(url, onText, onLost) => Promise<send>`; the first reply is compared, of the others the length
 */
export async function drive(open) {
  let replies = 0
  let checked = false
  const sends = []
  for (let i = 0; i < connections; i++) {
    const onText = (text) => {
      if (text.length !== bytes) fail('a reply of the wrong length')
      if (!checked) {
        if (text !== payload) fail('a reply that is not what was sent')
        checked = true
      }
      replies++
      sends[i](payload)
    }
    sends.push(await open(url, onText, () => fail('a connection ended')))
  }
  for (const send of sends) {
    for (let i = 0; i < inFlight; i++) send(payload)
  }
  await sleep(warmup * 1000)
  replies = 0
  const from = performance.now()
  const cpuFrom = process.cpuUsage()
  await sleep(seconds * 1000)
  const took = (performance.now() - from) / 1000
  const { user, system } = process.cpuUsage(cpuFrom)
  if (!checked) fail('no reply came')
  console.log(
    JSON.stringify({ perSecond: replies / took, cpuMicros: (user + system) / Math.max(replies, 1) }),
  )
  process.exit(0)
}
