/** docs/observability.md has the channels and fields that the types have, and the types have the channels of the code. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { CHANNEL_ROWS, FIELDS, SILENT_ROWS, type DocumentedField } from '../helpers/channel-docs.js'

const root = path.join(__dirname, '../..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

/** The interfaces whose members are channels. */
const INTERFACES = [
  ['src/server/server-messages.ts', 'ServerMessages'],
  ['src/brokers/broker-link.ts', 'BackplaneMessages'],
  ['src/client/diagnostics.ts', 'ClientMessages'],
] as const

/** The members of an interface of a file, and the members of each. */
function channelsOf(file: string, name: string): Map<string, DocumentedField[]> {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const found = source.statements.find(
    (one): one is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(one) && one.name.text === name,
  )
  const channels = new Map<string, DocumentedField[]>()
  for (const member of found?.members ?? []) {
    if (!ts.isPropertySignature(member) || !ts.isStringLiteral(member.name)) throw new Error(member.getText())
    if (member.type === undefined || !ts.isTypeLiteralNode(member.type)) throw new Error(member.getText())
    const fields = member.type.members.map((field) => {
      if (!ts.isPropertySignature(field)) throw new Error(field.getText())
      return {
        name: field.name.getText(),
        isOptional: field.questionToken !== undefined,
        type: field.type?.getText() ?? '',
      }
    })
    channels.set(member.name.text, fields)
  }
  return channels
}

const typed = new Map(INTERFACES.flatMap(([file, name]) => [...channelsOf(file, name)]))
const documented = CHANNEL_ROWS.map(([name]) => name)

it('every channel of the code has a message type', () => {
  const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const made = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(path.join('src', file)).matchAll(/\bchannel\('(hawser:[^']*)'\)/g)])
    .map(([, name = '']) => name)
  expect(made.length).toBeGreaterThan(15)
  expect(made.sort()).toEqual([...typed.keys()].sort())
})

it('every channel is a row of the first table, with when it is published and by whom', () => {
  expect([...documented].sort()).toEqual([...typed.keys()].sort())
  expect(CHANNEL_ROWS.filter((cells) => cells.includes(''))).toEqual([])
})

it.each([...typed])('the second table has every field of %s with its type', (name, fields) => {
  expect(FIELDS.get(name)).toEqual(fields)
})

it('the second table has no other channel, and says what each field is, with the unit of each time', () => {
  expect([...FIELDS.keys()]).toEqual(documented)
  expect(SILENT_ROWS).toEqual([])
  const times = read('docs/observability.md')
    .split('\n')
    .filter((line) => /^\| `hawser:\S+ +\| `\w+Ms` /.test(line))
  expect(times.length).toBeGreaterThan(4)
  expect(times.filter((line) => !/\bin ms\b/.test(line))).toEqual([])
})

it('the message types are given out by the root of the package', () => {
  expect(read('src/index.ts')).toContain('DiagnosticsMessages')
  for (const [, name] of INTERFACES)
    expect(read('src/diagnostics-messages.ts')).toMatch(new RegExp(`extends .*\\b${name}\\b`))
})
