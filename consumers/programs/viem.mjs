/** viem over its WebSocket transport, which takes `ws` by way of isows: calls, a subscription, a connection that is lost. */
import { createPublicClient, webSocket } from 'viem'
import { mainnet } from 'viem/chains'
import { startNode } from '../lib/json-rpc.mjs'
import { until } from '../lib/tools.mjs'

const CALLS = 3_000

export async function run({ figure }) {
  const node = await startNode()
  const transport = webSocket(node.url, { reconnect: { attempts: 5, delay: 20 }, keepAlive: false })
  const client = createPublicClient({ chain: mainnet, transport, pollingInterval: 50 })
  const address = `0x${'cd'.repeat(20)}`
  const result = {
    chain: await client.getChainId(),
    height: String(await client.getBlockNumber({ cacheTime: 0 })),
    balance: String(await client.getBalance({ address })),
    code: (await client.getCode({ address })).length,
    block: (await client.getBlock({ blockNumber: 12n })).hash.slice(-4),
    wrong: await client.request({ method: 'eth_nothing' }).catch(({ name }) => name),
  }
  const heights = []
  const stopWatching = client.watchBlockNumber({
    onBlockNumber: (height) => heights.push(String(height)),
    emitOnBegin: false,
  })
  await until(() => node.subscribed.size === 1, 'the subscription')
  for (let count = 0; count < 3; count += 1) node.mine()
  await until(() => heights.length === 3, 'three heads')
  result.heights = heights.slice(0, 3)

  const began = performance.now()
  await Promise.all(
    Array.from({ length: CALLS }, () =>
      client.request({ method: 'eth_getBalance', params: [address, 'latest'] }, { dedupe: false }),
    ),
  )
  figure('calls a second', Math.round(CALLS / ((performance.now() - began) / 1000)))

  for (const socket of node.wss.clients) socket.terminate()
  await until(() => node.wss.clients.size === 0, 'the loss')
  result.again = await until(() => client.getChainId().catch(() => 0), 'the chain after the loss')
  stopWatching()
  const rpc = await client.transport.getRpcClient()
  rpc.close()
  await node.stop()
  return result
}
