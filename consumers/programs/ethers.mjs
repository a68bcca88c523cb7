/** ethers with its WebSocketProvider, which takes `ws`: calls, a subscription, the end. */
import { WebSocketProvider } from 'ethers'
import WebSocket from 'ws'
import { startNode } from '../lib/json-rpc.mjs'
import { until, within } from '../lib/tools.mjs'

const CALLS = 3_000

export async function run({ figure }) {
  const node = await startNode()
  const results = []
  // By its URL, and with a socket that the caller made.
  for (const makeTarget of [() => node.url, () => new WebSocket(node.url)]) {
    const provider = new WebSocketProvider(makeTarget(), 1, { staticNetwork: true })
    const address = `0x${'cd'.repeat(20)}`
    const result = {
      height: await provider.getBlockNumber(),
      balance: String(await provider.getBalance(address)),
      code: (await provider.getCode(address)).length,
      block: (await provider.getBlock(12)).hash.slice(-4),
      wrong: await provider.send('eth_nothing', []).catch(({ code }) => code),
    }
    const heights = []
    await provider.on('block', (height) => heights.push(height))
    await until(() => node.subscribed.size === 1, 'the subscription')
    for (let count = 0; count < 3; count += 1) node.mine()
    await until(() => heights.length === 3, 'three heads')
    result.heights = heights.length
    const began = performance.now()
    await Promise.all(Array.from({ length: CALLS }, () => provider.send('eth_chainId', [])))
    figure('calls a second', Math.round(CALLS / ((performance.now() - began) / 1000)))
    await within(provider.destroy(), 'the end of the provider')
    await until(() => node.wss.clients.size === 0, 'the end of the connection')
    results.push(result)
  }
  await node.stop()
  return results
}
