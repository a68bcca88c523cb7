/**
 * What an input says beside its bytes: roles, limits, where it is cut, when the application acts. The last byte tells how many
 * bytes before it are choices; all before them is what the peer sends.
 */

/** The most choices that an input may have: its last byte. */
const MAX_CHOICES = 255

/** Where an invariant does not hold. */
export class Violated extends Error {
  override readonly name = 'Violated'
}

/** @throws Violated with `what`, which is the same text for the same fault: findings are told apart by it */
export function check(holds: boolean, what: string, detail: () => string = () => ''): asserts holds {
  if (!holds) throw new Violated(`${what}\n${detail()}`)
}

/** @throws Violated where the two are not the same as text */
export function checkSame(actual: unknown, expected: unknown, what: string): void {
  const [one, other] = [show(actual), show(expected)]
  check(one === other, what, () => `  ${one}\n  ${other}`)
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The choices of an input, and its bytes. */
export class Choices {
  /** What the peer sends. */
  readonly bytes: Buffer
  private readonly choices: Buffer
  private at = 0

  constructor(input: Buffer) {
    const count = Math.min(input.at(-1) ?? 0, Math.max(input.length - 1, 0))
    this.choices = input.subarray(Math.max(input.length - 1, 0) - count, Math.max(input.length - 1, 0))
    this.bytes = input.subarray(0, Math.max(input.length - 1, 0) - count)
  }

  /** Whether a choice is left. */
  get hasMore(): boolean {
    return this.at < this.choices.length
  }

  /** The next choice, 0 to 255; 0 after the last. */
  byte(): number {
    return this.choices[this.at++] ?? 0
  }

  /** A whole number from 0 up to, and without, `count`. */
  below(count: number): number {
    return this.byte() % count
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  get flag(): boolean {
    return (this.byte() & 1) !== 0
  }

  /** The size of a chunk, in bytes: mostly small, 1 to 8192. */
  size(): number {
    const byte = this.byte()
    return byte < 200 ? byte + 1 : (byte - 199) * 146
  }

  /** The bytes in chunks, as many as there are choices left, and then the rest. Each has memory of its own. */
  chunks(bytes: Uint8Array = this.bytes): Buffer[] {
    const chunks: Buffer[] = []
    let at = 0
    while (at < bytes.length) {
      const end = this.hasMore ? at + this.size() : bytes.length
      chunks.push(Buffer.from(bytes.subarray(at, end)))
      at = end
    }
    return chunks
  }
}

/** An input: bytes of the peer, and choices. */
export function inputOf(bytes: Uint8Array | string, ...choices: readonly number[]): Buffer {
  if (choices.length > MAX_CHOICES) throw new RangeError(`at most ${MAX_CHOICES} choices`)
  return Buffer.concat([
    typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes,
    Buffer.from(choices),
    Buffer.of(choices.length),
  ])
}

/** The bytes one by one, and all in one: the two ways that every other must agree with. */
export function everyWay(choices: Choices, bytes: Buffer = choices.bytes): readonly (readonly Buffer[])[] {
  const MAX_SINGLE = 600
  const single = bytes.length > MAX_SINGLE ? [] : [Array.from(bytes, (byte) => Buffer.of(byte))]
  return [[Buffer.from(bytes)], choices.chunks(bytes), ...single]
}

/** What the runner knows of a target. */
export interface Target {
  /** What it fuzzes, in a line. */
  readonly title: string
  /** In which lanes it runs: see `fuzz/lib/lanes.mjs`. */
  readonly lanes: readonly ('native' | 'no-wasm' | 'off')[]
  /** The largest input, in bytes. */
  readonly maxBytes: number
  /** Inputs to begin with. */
  readonly seeds: () => readonly Buffer[]
  /** @throws Violated, or whatever the code throws, where something is wrong */
  readonly run: (input: Buffer) => void | Promise<void>
}
