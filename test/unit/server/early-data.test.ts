import { EarlyData, MAX_EARLY_DATA_BYTES } from '../../../src/server/early-data.js'

describe('EarlyData', () => {
  it('joins chunks of any size in order, and keeps nothing after they are taken', () => {
    const early = new EarlyData()
    const chunks = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('bcdef'), Buffer.alloc(1_000, 'z')]
    for (const chunk of chunks) expect(early.push(chunk)).toBe(true)
    expect(early.take()).toEqual(Buffer.concat(chunks))
    expect(early.take()).toHaveLength(0)
  })

  it('copies each chunk, so that later changes to it have no effect', () => {
    const early = new EarlyData()
    const chunk = Buffer.from('abc')
    early.push(chunk)
    chunk.fill(0)
    expect(early.take().toString()).toBe('abc')
  })

  it('reports when it is full', () => {
    const early = new EarlyData()
    expect(early.push(Buffer.alloc(MAX_EARLY_DATA_BYTES))).toBe(true)
    expect(early.push(Buffer.alloc(1))).toBe(false)
  })

  it('moves each byte a bounded number of times, however small the chunks are', () => {
    const early = new EarlyData()
    const set = jest.spyOn(Buffer.prototype, 'copy')
    for (let i = 0; i < MAX_EARLY_DATA_BYTES; i++) early.push(Buffer.of(i & 0xff))
    // Once for each doubling.
    expect(set.mock.calls.length).toBeLessThanOrEqual(18)
    set.mockRestore()
    expect(early.take()).toEqual(
      Buffer.from(Array.from({ length: MAX_EARLY_DATA_BYTES }, (_, i) => i & 0xff)),
    )
  })
})
