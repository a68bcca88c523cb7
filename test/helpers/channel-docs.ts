/** The tables of channels in docs/observability.md. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

/** A field of a message, as the table has it. */
export interface DocumentedField {
  readonly name: string
  readonly isOptional: boolean
  readonly type: string
}

const page = readFileSync(path.join(__dirname, '../../docs/observability.md'), 'utf8')

const rowsBelow = (heading: string): string[][] => {
  const [, section = ''] = page.split(`\n${heading}\n`)
  const [table = ''] = section.split(/^#/m)
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `hawser:'))
    .map((line) =>
      line
        .replaceAll('\\|', '\u0000')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('\u0000', '|').trim()),
    )
}

const unquoted = (cell = ''): string => cell.slice(1, -1)

/** The channels, in order: their names, when they are published, and by whom. */
export const CHANNEL_ROWS = rowsBelow('## Channels').map(
  ([name, when = '', by = '']) => [unquoted(name), when, by] as const,
)

/** The fields of the messages of each channel, in order, and what the table says of each. */
export const FIELDS = new Map<string, DocumentedField[]>()
/** Rows whose last cell is empty. */
export const SILENT_ROWS: string[] = []
for (const [channel, field, type, what = ''] of rowsBelow('### Fields')) {
  const name = unquoted(channel)
  const shown = unquoted(field)
  const fields = FIELDS.get(name) ?? []
  fields.push({ name: shown.replace('?', ''), isOptional: shown.endsWith('?'), type: unquoted(type) })
  FIELDS.set(name, fields)
  if (what === '') SILENT_ROWS.push(`${name} ${shown}`)
}
