/**
 * The scenarios: what attackers do beside the steady traffic. `defence` says which options of settings.mjs meet it; `connections`:
 * how many the attackers have at once, those whose handshake is not done among them.
 */
import { ATTACKER_ADDRESSES } from './settings.mjs'
import {
  closeFrame,
  close,
  deaf,
  deflated,
  dribble,
  end,
  flood,
  frame,
  head,
  opened,
  openedWithDeflate,
  ping,
  request,
  reset,
  send,
  text,
} from './steps.mjs'
import { WAYS } from './ways.mjs'

const KIB = 1024
const FLOOD_MS = 60_000

/** So many whole frames that they fill what a write takes. */
const block = (bytes, size = 64 * KIB) =>
  Buffer.concat(Array.from({ length: Math.ceil(size / bytes.length) }, () => bytes))

/** 64 KiB that inflate to some 64 MiB. */
const largeBomb = () => {
  const payload = deflated(Buffer.alloc(64 * KIB * KIB))
  return frame(0xc2, payload)
}

/** @returns {{ name: string, title: string, attack: string, defence: string[], connections: number, addresses: number, scripts: object[] }[]} */
export const SCENARIOS = [
  {
    name: 'handshakes',
    title: 'handshakes',
    attack: 'upgrades one after another, reset as soon as they are answered',
    defence: ['handshakeQuotas'],
    connections: 200,
    scripts: () => [
      { steps: [send(request('/')), head(), reset()] },
      { steps: [send(request('/nowhere')), head(0), reset()] },
    ],
  },
  {
    name: 'pings',
    title: 'pings',
    attack: 'pings without end in blocks of 64 KiB; who is cut comes again at once',
    defence: ['quotas', 'handshakeQuotas'],
    connections: 200,
    scripts: () => [
      { steps: opened('/', flood(block(ping()), FLOOD_MS)) },
      { steps: opened('/', flood(block(ping('p'.repeat(125))), FLOOD_MS)) },
    ],
  },
  {
    name: 'tiny-frames',
    title: 'tiny frames',
    attack:
      'messages of one byte, messages of fragments of one byte, and of empty fragments without end, in blocks of 64 KiB',
    defence: ['quotas', 'handshakeQuotas'],
    connections: 200,
    scripts: () => [
      { steps: opened('/', flood(block(text('x')), FLOOD_MS)) },
      { steps: opened('/', send(frame(0x01)), flood(block(frame(0x00, 'x')), FLOOD_MS)) },
      { steps: opened('/', send(frame(0x01)), flood(block(frame(0x00)), FLOOD_MS)) },
    ],
  },
  {
    name: 'slow-readers',
    title: 'slow readers',
    attack:
      'members of a group that gets 30 messages of 16 KiB in a second, with buffers of 4 KiB, that read nothing',
    defence: ['maxBufferedOutputBytes', 'sendTimeoutMs', 'maxConnectionsPerAddress'],
    connections: 200,
    scripts: () => [{ receiveBuffer: 4 * KIB, steps: opened('/feed', deaf(20_000), reset()) }],
  },
  {
    name: 'slow-writers',
    title: 'slow writers',
    attack: 'heads of which a byte comes every 300 ms, and messages of which a byte comes every 200 ms',
    defence: ['handshakeTimeoutMs', 'maxConnectionsPerAddress', 'maxHeaderBytes'],
    connections: 2_000,
    scripts: () => [
      { weight: 4, steps: [dribble(request('/'), 300), head(), reset()] },
      { weight: 1, steps: opened('/', dribble(text('x'.repeat(1_000)), 200), reset()) },
    ],
  },
  {
    name: 'bombs',
    title: 'bombs',
    attack:
      'messages that inflate to 1,000 times their size, of 1 KiB and of 64 KiB; who is cut comes again at once',
    defence: ['maxMessageBytes', 'handshakeQuotas'],
    connections: 200,
    scripts: () => {
      const large = largeBomb()
      const small = frame(0xc2, deflated(Buffer.alloc(KIB * KIB)))
      return [small, large].map((bomb) => ({ steps: openedWithDeflate('/', send(bomb), end(), close()) }))
    },
  },
  {
    name: 'come-and-go',
    title: 'connections that come and go',
    attack:
      'connections that end in all ways: by closing handshakes, FIN and reset, in heads, frames and messages, by violations',
    defence: ['handshakeQuotas'],
    connections: 200,
    // So many that most of them are accepted.
    addresses: 200,
    scripts: () => [
      ...WAYS.filter(({ isPlain }) => isPlain).map(({ steps, weight }) => ({ steps, weight })),
      { steps: opened('/', send(text('x'), closeFrame(1000)), end(), close()) },
    ],
  },
].map((scenario) => ({ addresses: ATTACKER_ADDRESSES, ...scenario }))
