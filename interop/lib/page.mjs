/** docs/interop.md: what every peer does in every case. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'
import { CASES, LETTERS } from './cases.mjs'
import { INTEROP } from './manifests.mjs'

const PAGE = path.join(INTEROP, '../docs/interop.md')

const INTRODUCTION = `# Interoperation

Hawser with other implementations of RFC 6455, both ways round where the peer has both roles. This page is written by
\`npm run interop\`, which fails on any other result; [interop](../interop/README.md) has the programs and says how to add a peer.

The role is the peer's: Hawser has the other one. Each cell is one case on one connection of its own.

- **ok**: as it should be.
- **n/a**: the peer has no way to do it; the note says why. The case is not run.
- **differs**: what the peer does instead is in the note. It is run, and is to stay so.`

const MESSAGES = `## Messages

Hawser sends each message, and the peer sends it back: the same, and of the same type. Hawser sends every message as one frame, so
the fragments are those of the peer, seen as such on the wire. 401 is a handshake that is refused: Hawser's client reports the
status; a peer that shows the status shows this one.`

const CLOSING = `## Closing

By Hawser and by the peer: 1000, 3000 and 4999 with a reason (4999 with one of 123 bytes, not ASCII), 1001 without one, and a Close
frame without a code. Ok: the other side sees the code and the reason, and Hawser reports a clean end.`

const COMPRESSION = `## Compression

permessage-deflate (RFC 7692), with a context wherever it was not agreed away: 200 messages in a row, text and bytes, of 1 KiB to 4
KiB, which repeat parts of one another, an empty text, empty bytes, text that is not ASCII and noise twice among them, and then one
of 1.5 MiB;
at most 20 are on their way at once. Both ends compress; that the peer does is seen on the wire. "Nothing" is both ends at their
defaults. The other columns are a sample of the combinations of the four parameters, asked for by Hawser and by the peer:

${LETTERS.map(({ letter, asked }) => `- ${letter}: \`${asked}\``).join('\n')}

Ok: the parameters are in the answer (no window larger than was asked for), and every message arrives.`

/** Footnotes: a number for each text. */
class Notes {
  numbers = new Map()

  /** @param {string} text */
  mark(text) {
    const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
    if (!this.numbers.has(sentence)) this.numbers.set(sentence, this.numbers.size + 1)
    return `<sup>${String(this.numbers.get(sentence))}</sup>`
  }

  toString() {
    return [...this.numbers].map(([text, number]) => `${String(number)}. ${text}`).join('\n')
  }
}

/** @param {readonly string[]} heads @param {readonly (readonly string[])[]} rows */
function table(heads, rows) {
  const lines = [heads, heads.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function caseTable(group, rows, notes) {
  const cases = CASES.filter((one) => one.group === group)
  const cell = (results, { id }) => {
    const { outcome = 'missing', note } = results.find((one) => one.id === id) ?? {}
    return note === undefined ? outcome : `${outcome}${notes.mark(note)}`
  }
  return table(
    ['peer', 'role', ...cases.map(({ title }) => title)],
    rows.map(({ title, role, results }) => [title, role, ...cases.map((one) => cell(results, one))]),
  )
}

/**
 * @param {import('./manifests.mjs').Manifest[]} manifests
 * @param {Record<string, { version: string, results: import('./result.mjs').Result[] }>} store by `NAME ROLE`
 */
export async function writePage(manifests, store) {
  const notes = new Notes()
  const peers = manifests.flatMap(({ language, quick, peers: all }) =>
    all.map(({ title, ...peer }) => ({ language, quick, title: title ?? peer.name, ...peer })),
  )
  const rows = peers.flatMap(({ name, title, roles }) =>
    roles.map((role) => {
      const found = store[`${name} ${role}`]
      if (found === undefined) throw new Error(`no results of ${name} as the ${role}`)
      return { title, role, ...found }
    }),
  )
  const peerTable = table(
    ['peer', 'version', 'language', 'roles', 'in CI'],
    peers.map(({ name, title, language, quick, roles }) => {
      const { version } = store[`${name} ${roles[0]}`]
      return [title, version, language, roles.join(', '), quick ? 'yes' : 'no']
    }),
  )
  const text = [
    INTRODUCTION,
    `## Peers\n\n${peerTable}`,
    `${MESSAGES}\n\n${caseTable('messages', rows, notes)}`,
    `${CLOSING}\n\n${caseTable('closing', rows, notes)}`,
    `${COMPRESSION}\n\n${caseTable('compression', rows, notes)}`,
    `## Notes\n\n${notes.toString()}`,
  ].join('\n\n')
  const config = await resolveConfig(PAGE)
  writeFileSync(PAGE, await format(text, { ...config, filepath: PAGE }))
}
