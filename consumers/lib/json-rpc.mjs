/** A node of a chain, as far as a client library asks it for blocks: JSON-RPC over a WebSocket, with new heads as a subscription. */
import WebSocket, { WebSocketServer } from 'ws'
import { once, until } from './tools.mjs'

const hex = (number) => `0x${number.toString(16)}`
const WORD = `0x${'ab'.repeat(32)}`

const blockOf = (number) => ({
  number: hex(number),
  hash: `0x${number.toString(16).padStart(64, '0')}`,
  parentHash: WORD,
  nonce: '0x0000000000000000',
  sha3Uncles: WORD,
  logsBloom: `0x${'00'.repeat(256)}`,
  transactionsRoot: WORD,
  stateRoot: WORD,
  receiptsRoot: WORD,
  miner: `0x${'cd'.repeat(20)}`,
  difficulty: '0x1',
  totalDifficulty: '0x1',
  extraData: '0x',
  size: '0x100',
  gasLimit: '0x1c9c380',
  gasUsed: '0x0',
  timestamp: hex(1_700_000_000 + number),
  baseFeePerGas: '0x7',
  transactions: [],
  uncles: [],
})

export async function startNode() {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(wss, 'listening')
  const subscribed = new Set()
  let height = 16
  const answers = {
    eth_chainId: () => '0x1',
    net_version: () => '1',
    eth_blockNumber: () => hex(height),
    eth_getBalance: () => '0xde0b6b3a7640000',
    eth_getCode: () => `0x${'60'.repeat(100_000)}`,
    eth_getBlockByNumber: ([which]) => blockOf(which === 'latest' ? height : Number(which)),
  }
  wss.on('connection', (socket) => {
    const answer = ({ id, method, params }) => {
      if (method === 'eth_subscribe') {
        subscribed.add(socket)
        return { jsonrpc: '2.0', id, result: '0x51' }
      }
      if (method === 'eth_unsubscribe') return { jsonrpc: '2.0', id, result: subscribed.delete(socket) }
      if (answers[method] === undefined)
        return { jsonrpc: '2.0', id, error: { code: -32_601, message: 'no such method' } }
      return { jsonrpc: '2.0', id, result: answers[method](params) }
    }
    socket.on('message', (data) => {
      const request = JSON.parse(String(data))
      socket.send(JSON.stringify(Array.isArray(request) ? request.map(answer) : answer(request)))
    })
    socket.on('close', () => subscribed.delete(socket))
  })
  return {
    wss,
    subscribed,
    url: `ws://127.0.0.1:${String(wss.address().port)}`,
    mine() {
      height += 1
      const message = {
        jsonrpc: '2.0',
        method: 'eth_subscription',
        params: { subscription: '0x51', result: blockOf(height) },
      }
      for (const socket of subscribed)
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    stop: async () => {
      for (const client of wss.clients) client.terminate()
      await until(() => wss.clients.size === 0, 'the end of the clients')
      await new Promise((resolve) => wss.close(resolve))
    },
  }
}
