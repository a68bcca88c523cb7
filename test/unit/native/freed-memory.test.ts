/** What large messages were written into is used again, where glibc would give it back to the system after each collection. */
import { Programs } from '../../helpers/child.js'

const programs = new Programs()
afterAll(() => programs.remove())

/**
 * Fills 20 buffers of 1 MiB, drops them, and fills 20 others. Prints how many pages the second 20 took of the system, where all
 * of them have 5120.
 */
const program = (before: string): string => `
  process.env.HAWSER_NATIVE = ${JSON.stringify(before)}
  const { ownBuffer } = await import('./src/frame/buffer-pool.js')
  const settle = async () => {
    for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)) }
  }
  const fill = async () => {
    const held = []
    const from = process.resourceUsage().minorPageFault
    for (let i = 0; i < 20; i++) held.push(ownBuffer(1024 * 1024).fill(1))
    const pages = process.resourceUsage().minorPageFault - from
    return [pages, held.length]
  }
  ownBuffer(32 * 1024)
  await settle()
  await fill()
  await settle()
  const [pages] = await fill()
  console.log('pages ' + pages)
  console.log('glibc ' + (process.report.getReport().header.glibcVersionRuntime ?? 'none'))`

const pagesWith = async (value: 'on' | 'off'): Promise<{ pages: number; isGlibc: boolean }> => {
  const run = programs.run(program(value), ['--expose-gc'])
  const pages = Number(await run.value('pages'))
  const isGlibc = (await run.value('glibc')) !== 'none'
  await run.ended
  return { pages, isGlibc }
}

test('freed memory of large messages is used again: it is not given back to the system, and taken again', async () => {
  const { pages, isGlibc } = await pagesWith('on')
  // Another allocator has bounds of its own.
  if (isGlibc) expect(pages).toBeLessThan(1000)
})

test('without src/native the bounds of the allocator stay as they are', async () => {
  const { pages, isGlibc } = await pagesWith('off')
  if (isGlibc) expect(pages).toBeGreaterThan(4000)
})

test('a process that may not have so much address space goes on', async () => {
  const run = programs.run(
    `const { Buffer: NodeBuffer } = globalThis
    const allocate = NodeBuffer.allocUnsafeSlow
    let refused = 0
    NodeBuffer.allocUnsafeSlow = (bytes) => {
      if (bytes > 1024 * 1024) { refused++; throw new RangeError('Array buffer allocation failed') }
      return allocate(bytes)
    }
    process.env.HAWSER_NATIVE = 'on'
    const { ownBuffer } = await import('./src/frame/buffer-pool.js')
    console.log('bytes ' + ownBuffer(100_000).length)
    console.log('again ' + ownBuffer(100_000).length)
    console.log('refused ' + refused)`,
  )
  expect(await run.value('bytes')).toBe('100000')
  expect(await run.value('again')).toBe('100000')
  expect(await run.value('refused')).toBe('1')
  await run.ended
})
