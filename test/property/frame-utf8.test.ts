import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { asBuffer } from '../../src/frame/as-buffer.js'
import { decodeText, Utf8Validator } from '../../src/frame/utf8.js'

/**
 * The oracle: every code point, encoded by the platform, as a tree of bytes. A prefix is viable if and only if
 * some text begins with it: if, read from the root and from the root again at the end of each character, it
 * never leaves the tree. It uses no table of ranges.
 */
interface Node {
  readonly children: (Node | undefined)[]
  readonly isEnd: boolean
}

const END: Node = { children: [], isEnd: true }
const ROOT = buildTree()

function buildTree(): Node {
  const root: Node = { children: [], isEnd: false }
  const encoder = new TextEncoder()
  const bytes = new Uint8Array(4)
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    // Surrogates are no characters: the platform would write U+FFFD for them.
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue
    const { written } = encoder.encodeInto(String.fromCodePoint(codePoint), bytes)
    let node = root
    for (let i = 0; i < written - 1; i++) {
      node = node.children[bytes[i] as number] ??= { children: [], isEnd: false }
    }
    node.children[bytes[written - 1] as number] = END
  }
  return root
}

/** The index of the first bad byte, -1 for none; and whether the text may end there. */
function judge(bytes: Uint8Array): { firstBad: number; isComplete: boolean } {
  let node = ROOT
  for (let i = 0; i < bytes.length; i++) {
    const next = node.children[bytes[i] as number]
    if (next === undefined) return { firstBad: i, isComplete: false }
    node = next.isEnd ? ROOT : next
  }
  return { firstBad: -1, isComplete: node === ROOT }
}

/** Text of every width of character, sometimes spoilt at one place, sometimes cut. */
const nearlyText = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('é', '€', '\u{1f600}', '\uffff', '\u{10ffff}', '\u0800', '\ue000'),
        },
        { weight: 1, arbitrary: fc.nat(200).map((length) => 'a'.repeat(length)) },
      ),
      { maxLength: 8 },
    ),
    fc.option(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ maxLength: 4 }))),
    fc.nat(3),
  )
  .map(([pieces, spoil, cut]) => {
    let bytes: Buffer = Buffer.from(pieces.join(''))
    if (spoil !== null) {
      const at = Math.floor(spoil[0] * bytes.length)
      bytes = Buffer.concat([bytes.subarray(0, at), spoil[1], bytes.subarray(at)])
    }
    return bytes.subarray(0, Math.max(0, bytes.length - cut))
  })

const anyBytes = fc.oneof(
  nearlyText,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
)

function decodesFatal(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

describe('the oracle itself', () => {
  test('the oracle agrees with TextDecoder', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const { firstBad, isComplete } = judge(bytes)
        expect(firstBad === -1 && isComplete).toBe(decodesFatal(bytes) !== null)
        expect(isUtf8(bytes)).toBe(decodesFatal(bytes) !== null)
      }),
      { numRuns: 500 },
    )
  })
})

describe('RFC 6455 8.1: the validator byte by byte against the oracle', () => {
  test('agrees in every state that a text can reach, for every next byte', () => {
    let states = 0
    const visit = (node: Node, prefix: readonly number[]): void => {
      states++
      const bytes = Uint8Array.from([...prefix, 0])
      for (let octet = 0; octet < 256; octet++) {
        const next = node.children[octet]
        bytes[prefix.length] = octet
        const validator = new Utf8Validator()
        const isGood = validator.push(bytes)
        if (isGood !== (next !== undefined) || (isGood && validator.isComplete !== next?.isEnd)) {
          throw new Error(`after ${prefix.join(' ')}: ${octet}`)
        }
        if (next !== undefined && !next.isEnd) visit(next, [...prefix, octet])
      }
    }
    visit(ROOT, [])
    // The root; 30 leads of two; 16 of three with their second bytes; 5 of four with their second and third.
    expect(states).toBeGreaterThan(17_000)
  })
})

describe('RFC 6455 8.1: the validator in pieces of any size', () => {
  test('agrees with TextDecoder on a whole text', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const validator = new Utf8Validator()
        expect(validator.push(bytes) && validator.isComplete).toBe(decodesFatal(bytes) !== null)
      }),
      { numRuns: 1000 },
    )
  })

  test('fails in the piece with the first bad byte, for any split', () => {
    fc.assert(
      fc.property(anyBytes, fc.array(fc.nat(130), { maxLength: 20 }), fc.nat(5), (bytes, sizes, padding) => {
        const { firstBad, isComplete } = judge(bytes)
        // Each piece is a range of something larger, which must not be looked at.
        const around = Buffer.concat([Buffer.alloc(padding, 0xff), bytes, Buffer.alloc(padding, 0xff)])
        const validator = new Utf8Validator()
        let at = 0
        for (const size of [...sizes, bytes.length]) {
          const end = Math.min(at + size, bytes.length)
          const isGood = validator.push(around, padding + at, padding + end)
          const holdsBad = firstBad >= at && firstBad < end
          expect(isGood).toBe(!holdsBad)
          if (holdsBad) return
          expect(validator.isComplete).toBe(judge(bytes.subarray(0, end)).isComplete)
          at = end
        }
        expect(validator.isComplete).toBe(isComplete)
      }),
      { numRuns: 1000 },
    )
  })

  test('accepts long text in two pieces, cut at every position around the end of a character', () => {
    const wrong: string[] = []
    for (const character of ['a', 'é', '€', '\u{1f600}']) {
      for (const length of [60, 61, 62, 63, 64, 65, 66, 67, 68, 128]) {
        const bytes = Buffer.from(`${'x'.repeat(length % 4)}${character.repeat(length)}`)
        for (let cut = 0; cut <= bytes.length; cut++) {
          const validator = new Utf8Validator()
          const isGood = validator.push(bytes, 0, cut) && validator.push(bytes, cut)
          if (!isGood || !validator.isComplete) wrong.push(`${character}, ${length}, ${cut}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })
})

describe('RFC 6455 8.1: decoding', () => {
  test('gives the same text as TextDecoder, or null if that fails', () => {
    fc.assert(
      fc.property(fc.oneof(anyBytes, fc.constant(Buffer.from('\ufffd'))), (bytes) => {
        expect(decodeText(asBuffer(bytes), 0, bytes.length)).toBe(decodesFatal(bytes))
      }),
      { numRuns: 500 },
    )
  })
})
