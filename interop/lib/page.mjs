/** docs/interop.md: what every peer does in every case. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'
import { CASES, GROUPS } from './cases.mjs'
import { INTEROP } from './manifests.mjs'

const PAGE = path.join(INTEROP, '../docs/interop.md')

const INTRODUCTION = `# Interoperation

Hawser with other implementations, as \`npm run interop\` found it ([how](https://github.com/hawser/hawser/tree/main/interop)).
`

/** Footnotes: a number for each text. */
class Notes {
  numbers = new Map()

  /** @param {string} text */
  mark(text) {
    if (!this.numbers.has(text)) this.numbers.set(text, this.numbers.size + 1)
    return `<sup>${String(this.numbers.get(text))}</sup>`
  }

  toString() {
    return [...this.numbers].map(([text, number]) => `${String(number)}. ${text}`).join('\n')
  }
}

function table(group, rows, notes) {
  const cases = CASES.filter((one) => one.group === group)
  const cell = (results, { id }) => {
    const { outcome = 'missing', note } = results.find((one) => one.id === id) ?? {}
    return note === undefined ? outcome : `${outcome}${notes.mark(note)}`
  }
  const lines = [
    ['peer', 'role', ...cases.map(({ title }) => title)],
    ['---', '---', ...cases.map(() => '---')],
    ...rows.map(({ title, role, results }) => [title, role, ...cases.map((one) => cell(results, one))]),
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** @param {import('./manifests.mjs').Manifest[]} manifests @param {Record<string, object>} store by `NAME ROLE` */
export async function writePage(manifests, store) {
  const notes = new Notes()
  const peers = manifests.flatMap(({ language, quick, peers: all }) =>
    all.map((peer) => ({ language, quick, ...peer })),
  )
  const rows = peers.flatMap(({ name, title = name, roles }) =>
    roles.map((role) => {
      const found = store[`${name} ${role}`]
      if (found === undefined) throw new Error(`no results of ${name} as the ${role}`)
      return { name, title, role, ...found }
    }),
  )
  const versions = peers.map(({ name, title = name, language, quick, roles }) => {
    const { version } = rows.find((row) => row.name === name)
    return `| ${[title, version, language, roles.join(', '), quick ? 'yes' : ''].join(' | ')} |`
  })
  const text = [
    INTRODUCTION,
    `## Peers\n\n| peer | version | language | roles | in CI |\n| --- | --- | --- | --- | --- |\n${versions.join('\n')}`,
    ...Object.entries(GROUPS).map(([group, title]) => `## ${title}\n\n${table(group, rows, notes)}`),
    `## Notes\n\n${notes.toString()}`,
  ].join('\n\n')
  const config = await resolveConfig(PAGE)
  writeFileSync(PAGE, await format(text, { ...config, filepath: PAGE }))
}
