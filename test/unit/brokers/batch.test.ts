import { BACKPLANE_VERSION, type Envelope } from '../../../src/backplane/envelope.js'
import {
  decodeBatch,
  decodeProbe,
  encodeBatch,
  encodeProbe,
  encodeRecord,
} from '../../../src/brokers/batch.js'
import { OutgoingBatches } from '../../../src/brokers/outgoing-batches.js'

const envelope = (body: object): Envelope =>
  ({ version: BACKPLANE_VERSION, from: 'a', to: null, ...body }) as Envelope
const group = (payload: string | Uint8Array): Envelope =>
  envelope({ kind: 'group', group: 'dogs', payload, compress: true })

describe('a batch', () => {
  it('returns envelopes as they were, with text, bytes, empty payloads and none', () => {
    const envelopes = [
      group('wuff 🐕'),
      group(''),
      group(new Uint8Array([0, 255, 1])),
      group(new Uint8Array(0)),
      envelope({ kind: 'alive', sequence: 7 }),
    ]
    const decoded = decodeBatch(encodeBatch(envelopes.map(encodeRecord))) as { payload?: unknown }[]
    expect(
      decoded.map((one) =>
        one.payload instanceof Uint8Array ? { ...one, payload: new Uint8Array(one.payload) } : one,
      ),
    ).toEqual(envelopes)
  })

  it('is bytes of this form', () => {
    const batch = encodeBatch([encodeRecord(envelope({ kind: 'ask' }))])
    const json = '{"version":1,"from":"a","to":null,"kind":"ask"}'
    expect(batch.toString('latin1')).toBe(
      `HWB\x01B\x00\x00\x00\x00${String.fromCharCode(json.length)}\x00\x00\x00\x00${json}`,
    )
  })

  it('that is cut anywhere, or has one byte changed, never throws', () => {
    const batch = encodeBatch([encodeRecord(group('wuff')), encodeRecord(envelope({ kind: 'ask' }))])
    const whole = decodeBatch(batch)
    expect(whole).toHaveLength(2)
    for (let length = 0; length < batch.length; length++) {
      const cut = decodeBatch(batch.subarray(0, length))
      expect(cut === null || cut.length < 2).toBe(true)
    }
    for (let at = 0; at < batch.length; at++) {
      const changed = Buffer.from(batch)
      changed[at] = (changed[at] as number) ^ 0x55
      expect([null, 0, 1, 2]).toContain(decodeBatch(changed)?.length ?? null)
    }
  })

  it('is not a probe, and a probe is not a batch', () => {
    expect(decodeProbe(encodeProbe('a:1'))).toBe('a:1')
    expect(decodeBatch(encodeProbe('a:1'))).toBeNull()
    expect(decodeProbe(encodeBatch([]))).toBeNull()
  })
})

describe('outgoing batches', () => {
  const MAX = 1024 * 1024
  const put = (
    batches: OutgoingBatches,
    ...records: readonly (readonly [channel: string, text: string, isBarrier?: boolean])[]
  ) => {
    for (const [channel, text, isBarrier = false] of records)
      batches.add(channel, Buffer.from(text), isBarrier, MAX)
  }
  const take = (batches: OutgoingBatches): string[] =>
    batches.take().map(({ channel, message }) => `${channel} ${message.toString('latin1', 5)}`)

  it('are one for each channel', () => {
    const batches = new OutgoingBatches()
    put(batches, ['a', '1'], ['b', '2'], ['a', '3'])
    expect([take(batches), batches.isEmpty]).toEqual([['a 13', 'b 2'], true])
  })

  it('keep a barrier in its place', () => {
    const batches = new OutgoingBatches()
    put(
      batches,
      ['all', '0'],
      ['a', '1'],
      ['all', '2', true],
      ['all', '3', true],
      ['a', '4'],
      ['all', '5', true],
    )
    expect(take(batches)).toEqual(['all 0', 'a 1', 'all 23', 'a 4', 'all 5'])
  })

  it('grow to 256 KiB, and a larger record goes alone', () => {
    const batches = new OutgoingBatches()
    for (const size of [100, 100, 100, 400, 1]) batches.add('a', Buffer.alloc(size * 1024), false, MAX)
    expect(batches.take().map(({ envelopes, bytes }) => [envelopes, bytes / 1024])).toEqual([
      [2, 200],
      [1, 100],
      [1, 400],
      [1, 1],
    ])
  })
})
