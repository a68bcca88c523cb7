/** The memory of returned buffers, in a program of its own. */
import { Programs } from '../../helpers/child.js'

const KIB = 1024
const MAX_KEPT_BYTES = 4 * KIB * KIB

test('a collection frees all returned buffers but 4 MiB', async () => {
  const programs = new Programs()
  try {
    const program = programs.run(
      `import { borrowBuffer, returnBuffer } from './src/frame/buffer-pool.js'
      const settle = async () => {
        for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)) }
        return process.memoryUsage().arrayBuffers
      }
      const before = await settle()
      const sizes = [32, 1024, 1024, 2048, 4096, 5120, 16384, 16384].map((kib) => kib * 1024)
      sizes.map((bytes) => borrowBuffer(bytes)).forEach(returnBuffer)
      console.log('kept ' + ((await settle()) - before))
      borrowBuffer(16384 * 1024)
      console.log('after ' + ((await settle()) - before))`,
      ['--expose-gc'],
    )
    for (const name of ['kept', 'after']) {
      expect(Number(await program.value(name))).toBeLessThanOrEqual(MAX_KEPT_BYTES + 64 * KIB)
    }
    await program.ended
  } finally {
    programs.remove()
  }
})
