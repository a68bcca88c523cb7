/**
 * `node serve.mjs hawser|ws handle|stream`: the contender's echo server, as a child of the runner, which is told `{ port }`. It lives
 * as long as its parent does.
 */
import { loadContender } from './load.mjs'

process.once('disconnect', () => process.exit())
const { startEchoServer } = await loadContender(process.argv[2], process.argv[3])
process.send?.({ port: await startEchoServer() })
