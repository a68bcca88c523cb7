import fc from 'fast-check'
import { RecordSplitter, RecordTooLongError } from '../../../../demo/connect/record-splitter.js'

const LF = 0x0a
const NUL = 0x00

/** The records of chunks, as text. */
function split(chunks: readonly string[], separator = LF, maxBytes = 100): string[] {
  const splitter = new RecordSplitter(separator, maxBytes)
  const records: string[] = []
  for (const chunk of chunks) {
    for (const record of splitter.push(Buffer.from(chunk, 'latin1'))) records.push(record.toString('latin1'))
  }
  const last = splitter.end()
  if (last !== null) records.push(last.toString('latin1'))
  return records
}

describe('records of a stream', () => {
  test.each<readonly [readonly string[], readonly string[]]>([
    [[], []],
    [['a\nb\n'], ['a', 'b']],
    [['a\nb'], ['a', 'b']],
    [['\n\n'], ['', '']],
    [
      ['a', 'b\nc', '\n'],
      ['ab', 'c'],
    ],
    [['a\r\nb\r\n'], ['a', 'b']],
    [
      ['a\r', '\nb'],
      ['a', 'b'],
    ],
    [['a\rb\r'], ['a\rb\r']],
  ])('%j are %j', (chunks, expected) => {
    expect(split(chunks)).toEqual(expected)
  })

  test('keep line feeds and carriage returns if they end with NUL', () => {
    expect(split(['a\r\n\0b\r\0'], NUL)).toEqual(['a\r\n', 'b\r'])
  })

  test('are the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[ab\r\n]*$/)), (chunks) => {
        expect(split(chunks, LF, 10_000)).toEqual(split([chunks.join('')], LF, 10_000))
      }),
    )
  })

  test('have a bound, whether their end was seen or not', () => {
    expect(split(['abc\n'], LF, 3)).toEqual(['abc'])
    expect(() => split(['abcd\n'], LF, 3)).toThrow(new RecordTooLongError('longer than 3 bytes'))
    expect(() => split(['ab', 'cd'], LF, 3)).toThrow(RecordTooLongError)
  })

  test('do not depend on a chunk that is used again', () => {
    const splitter = new RecordSplitter(LF, 100)
    const chunk = Buffer.from('ab')
    expect([...splitter.push(chunk)]).toEqual([])
    chunk.fill('x')
    expect(splitter.end()?.toString()).toBe('ab')
  })
})
