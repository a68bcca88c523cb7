import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { asBuffer } from '../../src/frame/as-buffer.js'
import { decodeText, Utf8Validator } from '../../src/frame/utf8.js'
import { lane } from '../../src/native/simd.js'
import { lend } from '../helpers/lane.js'

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

describe('decodeText in the memory of src/native/simd, and through it', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const expectedOf = (bytes: Uint8Array): string | null => {
    try {
      return strict.decode(bytes)
    } catch {
      return null
    }
  }
  const expectSame = (bytes: Uint8Array, before: number): void => {
    const expected = expectedOf(bytes)
    const around = Buffer.concat([Buffer.alloc(before, 0xe2), bytes, Buffer.of(0x82, 0xac, 0x80, 0x80)])
    const end = before + bytes.length
    const chunk = lend(around)
    // Each after the other: what the one leaves in the memory must not be read by the other.
    for (const buffer of [chunk, Buffer.from(around)]) {
      expect(decodeText(buffer, before, end)).toBe(expected)
      if (lane.isOpen) expect(lane.decode(buffer, before, end)).toBe(expected)
      expect(buffer.equals(around)).toBe(true)
    }
  }

  const text = fc
    .array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.nat(60).map((n) => 'a'.repeat(n)),
        fc.constantFrom(
          '\u00e9',
          '\u00ff',
          '\u0100',
          '\u07ff',
          '\u0800',
          '\ud7ff',
          '\ue000',
          '\ufeff',
          '\ufffd',
          '\u{10ffff}',
        ),
      ),
      { maxLength: 8 },
    )
    .map((pieces) => Buffer.from(pieces.join('')))

  test('gives what a fatal TextDecoder gives, for text and for text with a byte changed, put in or cut off', () => {
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(255), fc.nat(20), (bytes, place, octet, before) => {
        expectSame(bytes, before)
        const at = bytes.length === 0 ? 0 : place % bytes.length
        expectSame(Buffer.concat([bytes.subarray(0, at), Buffer.of(octet), bytes.subarray(at + 1)]), before)
        expectSame(Buffer.concat([bytes.subarray(0, at), Buffer.of(octet), bytes.subarray(at)]), before)
        expectSame(bytes.subarray(0, at), before)
      }),
      { numRuns: 400 },
    )
  })

  test('gives what a fatal TextDecoder gives for text that is cut at every place', () => {
    const bytes = Buffer.from(
      'sixteen letters! \u00e9\u20ac\u{1f600} and thirty-two letters after: \u00ff\u07ff\u{10ffff}'.repeat(3),
    )
    for (let from = 0; from < 40; from++) {
      for (let to = from; to <= bytes.length; to++) expectSame(bytes.subarray(from, to), from % 5)
    }
  })

  test('gives what a fatal TextDecoder gives for every sequence of two bytes, and for three and four at the borders', () => {
    const edges = [
      0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
      0xf5, 0xff,
    ]
    const room = 'x'.repeat(40)
    const wrong: string[] = []
    const look = (...octets: readonly number[]): void => {
      const bytes = Buffer.from([...Buffer.from(room), ...octets])
      const found = decodeText(lend(bytes), 0, bytes.length)
      if (found !== expectedOf(bytes)) wrong.push(Buffer.from(octets).toString('hex'))
    }
    for (let a = 0; a < 256; a++) for (let b = 0; b < 256; b++) look(a, b)
    for (const a of edges) for (const b of edges) for (const c of edges) look(a, b, c)
    for (const a of [0xf0, 0xf1, 0xf4, 0xf5, 0xff]) {
      for (const b of edges) for (const c of edges) for (const d of edges) look(a, b, c, d)
    }
    expect(wrong).toEqual([])
  })

  test('gives long text, up to what fits and beyond', () => {
    for (const unit of ['\u00e9', '\u20ac', '\u{1f600}', 'a\u00e9']) {
      for (const length of [1000, 65_530, 65_536, 65_540, 100_000]) {
        const whole = unit.repeat(Math.floor(length / Buffer.byteLength(unit)))
        const bytes = Buffer.from(whole)
        expect(decodeText(lend(bytes), 0, bytes.length) === whole).toBe(true)
        expect(decodeText(bytes, 0, bytes.length) === whole).toBe(true)
      }
    }
  })
})
