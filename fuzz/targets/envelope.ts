/** What comes over a broker or a pipe: batches of envelopes, from other versions and other programs too. */
import { parseEnvelope, type Envelope } from '../../src/backplane/envelope.js'
import { decodeBatch, decodeProbe, encodeBatch, encodeProbe, encodeRecord } from '../../src/brokers/batch.js'
import { isValidCloseCode } from '../../src/frame/close-code.js'
import { check, checkSame, type Target } from './choices.js'

const MAX_NAME_LENGTH = 20
const MAX_ENTRIES = 1000

/** What every envelope that is taken keeps, whatever else it holds. */
function checkEnvelope(envelope: Envelope): void {
  check(
    envelope.version === 1 && envelope.from !== '' && envelope.from.length <= 100,
    'an envelope says who sent it',
  )
  check(envelope.to === null || typeof envelope.to === 'string', 'an envelope is for one node or for all')
  if ('group' in envelope && typeof envelope.group === 'string' && envelope.kind.includes('roup')) {
    check(envelope.group.length <= MAX_NAME_LENGTH, 'the name of a group is not too long')
  }
  if (
    envelope.kind === 'group' ||
    envelope.kind === 'broadcast' ||
    envelope.kind === 'named' ||
    envelope.kind === 'deliver'
  ) {
    const { payload } = envelope
    check(typeof payload === 'string' || payload instanceof Uint8Array, 'a payload is text or bytes')
  }
  if (envelope.kind === 'group' && envelope.position !== undefined) {
    const { epoch, offset } = envelope.position
    check(epoch !== '' && epoch.length <= 64 && offset >= 1, 'a position is one of a message')
  }
  if (envelope.kind === 'closeGroup' || envelope.kind === 'closeNamed') {
    const { code } = envelope as { readonly code: number | null }
    check(code === null || isValidCloseCode(code), 'a close code is legal', () => String(code))
  }
  if (envelope.kind === 'changes' || envelope.kind === 'snapshot') {
    check(
      envelope.names.length + envelope.groups.length <= MAX_ENTRIES,
      'an envelope has at most 1000 entries',
    )
    for (const [name, time] of envelope.names) {
      check(name.length <= MAX_NAME_LENGTH && (time === null || time >= 0), 'a name is claimed or free')
    }
    for (const [group, size] of envelope.groups) {
      check(group.length <= MAX_NAME_LENGTH && Number.isSafeInteger(size), 'a group has a size')
    }
  }
}

function run(input: Buffer): void {
  const token = decodeProbe(input)
  if (token !== null) check(encodeProbe(token).length >= token.length, 'a probe is read')
  const values = decodeBatch(input)
  check(values === null || token === null, 'a message is a batch or a probe')
  for (const value of values ?? []) {
    const envelope = parseEnvelope(value, MAX_NAME_LENGTH)
    if (envelope === null) continue
    checkEnvelope(envelope)
    const again = decodeBatch(encodeBatch([encodeRecord(envelope)]))
    checkSame(again, [envelope], 'an envelope is read again from what is written')
  }
}

const seedOf = (body: object, more: object = {}): Buffer =>
  encodeBatch([encodeRecord({ version: 1, from: 'n1', to: null, ...body, ...more } as unknown as Envelope)])

export const target: Target = {
  title: 'batches and envelopes of the backplane',
  lanes: ['native'],
  maxBytes: 800,
  seeds: () => [
    encodeProbe('abc'),
    encodeBatch([]),
    seedOf({ kind: 'group', group: 'g', payload: 'text', compress: true }),
    seedOf({ kind: 'group', group: 'g', payload: 'x', compress: true, position: { epoch: 'e', offset: 7 } }),
    seedOf({ kind: 'broadcast', path: '/a', payload: Buffer.of(1, 2), compress: false }),
    seedOf({ kind: 'broadcast', path: null, payload: '', compress: false }),
    seedOf({ kind: 'named', name: 'a', payload: 'x', compress: true }, { to: 'n2' }),
    seedOf({ kind: 'deleteGroup', group: 'g' }),
    seedOf({ kind: 'closeGroup', group: 'g', code: 1000, reason: 'bye' }),
    seedOf({ kind: 'closeNamed', name: 'a', code: 1000, reason: '' }),
    seedOf({ kind: 'closeNamed', name: 'a', code: null, reason: '' }),
    seedOf({ kind: 'deleteNamed', name: 'a' }),
    seedOf({ kind: 'deliver', name: 'a', request: 1, payload: 'x', compress: true }),
    seedOf({ kind: 'delivered', request: 1, outcome: 'sent' }),
    seedOf({ kind: 'changes', sequence: 1, names: [['a', 1, true]], groups: [['g', 2]] }),
    seedOf({ kind: 'snapshot', sequence: 1, part: 0, isLast: true, names: [['a', null, false]], groups: [] }),
    seedOf({ kind: 'alive', sequence: 9 }),
    seedOf({ kind: 'ask' }),
    seedOf({ kind: 'left' }),
    Buffer.concat([seedOf({ kind: 'ask' }), seedOf({ kind: 'left' }).subarray(5)]),
  ],
  run,
}
