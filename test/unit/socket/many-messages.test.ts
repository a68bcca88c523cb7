/** So many messages in one read that a call for each inside the one before would overflow the stack. */
import { resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import { frame, KEY, OP } from '../../helpers/frame-builder.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const KINDS: readonly LineKind[] = ['handle', 'stream', 'tls']
const COUNT = 40_000

it.each(KINDS)('are each answered, paused and resumed at a high-water mark of 0: %s', async (kind) => {
  const line = openLine(kind, 16 * 1024 * 1024)
  const limits = resolveLimits({ highWaterMarkBytes: 0 }, SERVER_LIMITS)
  let messageCount = 0
  const driver = new SocketDriver(
    line.transport,
    { role: 'server', limits },
    { limits, slowConsumer: 'buffer' },
    {
      handleEvent: (event) => {
        if (event.type !== 'message') return
        messageCount++
        if (!driver.send('')) driver.pause()
      },
      handleDrain: () => {
        driver.resume()
      },
      handleClosing: () => undefined,
      handleSendingOver: () => undefined,
      handleGone: () => undefined,
    },
  )
  driver.start(new Uint8Array(0))
  const message = frame({ opcode: OP.TEXT, payload: '', key: KEY })
  line.deliver(Buffer.concat(Array.from({ length: COUNT }, () => message)))
  let frameCount = 0
  for (let quiet = 0; quiet < 20 && frameCount < COUNT;) {
    // Each frame is two bytes.
    const count = line.system.read(Infinity).length / 2
    frameCount += count
    quiet = line.move() || count > 0 ? 0 : quiet + 1
    await nextTurn()
  }
  expect([messageCount, frameCount]).toEqual([COUNT, COUNT])
  driver.terminate()
  await nextTurn()
})
