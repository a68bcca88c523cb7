/** What README.md and docs/ say in tables is what the code does, and their links lead somewhere. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { resolveDeflateOptions } from '../../src/deflate/options.js'
import { HANDSHAKE_ERRORS, LIMIT_ERRORS, PROTOCOL_ERRORS, PUBLISH_ERRORS } from '../../src/error-codes.js'
import { HANDSHAKE_QUOTA_NAMES } from '../../src/server/handshake-quotas.js'
import { QUOTA_NAMES } from '../../src/server/quota-options.js'
import { createQuotaCounts } from '../../src/server/quota-stats.js'
import { SETTING_NAMES } from '../../src/service/service-names.js'
import { evaluatorOf } from '../helpers/evaluate.js'
import { CLIENT_LIMITS, LIMIT_NAMES, resolveLimits, SERVER_LIMITS, type Limits } from '../../src/limits.js'

const root = path.join(__dirname, '../..')
const read = (page: string): string => readFileSync(path.join(root, page), 'utf8')

/** The rows of a page whose first cell is one piece of code: that, and the other cells. */
function tableRows(page: string): (readonly [name: string, ...cells: string[]])[] {
  return read(page)
    .split('\n')
    .filter((line) => /^\| `\w+` +\|/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .map(([name = '', ...cells]) => [name.slice(1, -1), ...cells] as const)
}

const rowsNamed = (page: string, names: readonly string[]): ReturnType<typeof tableRows> =>
  tableRows(page).filter(([name]) => names.includes(name))

function showBytes(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${String(bytes / (1024 * 1024))} MiB` : `${String(bytes / 1024)} KiB`
}

/** A default, as the tables write it. */
function show(name: string, value: number): string {
  if (value === Infinity) return 'off'
  if (name.endsWith('Ms')) return `${String(value / 1000)} s`
  return name.endsWith('Bytes') ? showBytes(value) : String(value)
}

function showDefault(name: keyof Limits): string {
  const [server, client] = [show(name, SERVER_LIMITS[name]), show(name, CLIENT_LIMITS[name])]
  return server === client ? server : `server ${server}, client ${client}`
}

const DEFAULTS = LIMIT_NAMES.map((name) => [name, showDefault(name)])

describe('the tables of limits', () => {
  it('docs/limits.md has every limit, its default, its unit and the smallest legal value', () => {
    const unit = (name: string): string =>
      name.endsWith('Ms')
        ? 'ms'
        : name.endsWith('Bytes')
          ? 'bytes'
          : name.replace(/^max[A-Z][a-z]*/, '').toLowerCase()
    const rows = rowsNamed('docs/limits.md', LIMIT_NAMES)
    expect(rows.map(([name, value, of]) => [name, value, of])).toEqual(
      DEFAULTS.map(([name = '', value]) => [name, value, unit(name)]),
    )
    expect(rows.every((cells) => cells[4] !== undefined && cells[4] !== '')).toBe(true)
    for (const [name, , , smallest] of rows) {
      expect(resolveLimits({ [name]: Number(smallest) }, SERVER_LIMITS)).toMatchObject({
        [name]: Number(smallest),
      })
      expect(() => resolveLimits({ [name]: Number(smallest) - 1 }, SERVER_LIMITS)).toThrow(RangeError)
    }
  })

  it('docs/limits.md has every option of permessage-deflate and its default', () => {
    const server = resolveDeflateOptions(true, 'server')
    const client = resolveDeflateOptions(true, 'client')
    if (server === null || client === null) throw new Error('true is on')
    const { role: _role, contextThresholdBytes, ...options } = server
    const expected = Object.entries(options).map(([name, value]) => {
      if (name === 'thresholdBytes')
        return [name, `${String(value)}, with a context at hand ${String(contextThresholdBytes)}`]
      const other = client[name as keyof typeof options]
      if (other !== value) return [name, `server \`${String(value)}\`, client \`${String(other)}\``]
      if (typeof value === 'boolean') return [name, `\`${String(value)}\``]
      return [name, typeof value === 'number' ? show(name, value) : '?']
    })
    const rows = rowsNamed('docs/limits.md', Object.keys(options))
    expect(rows.map(([name, value]) => [name, value])).toEqual(expected)
  })
})

describe('the tables of quotas', () => {
  it.each([
    ['quotas', QUOTA_NAMES],
    ['handshakeQuotas', HANDSHAKE_QUOTA_NAMES],
  ])('docs/limits.md has every option of %s, in order', (_option, names) => {
    const rows = rowsNamed('docs/limits.md', names)
    expect(rows.map(([name]) => name)).toEqual(names)
    for (const cells of rows) expect(cells[2]).not.toBe('')
  })

  it('docs/limits.md names each count of what quotas did', () => {
    const section = read('docs/limits.md').split('## What quotas did')[1] ?? ''
    for (const name of Object.keys(createQuotaCounts())) expect(section).toContain(`\`${name}\``)
  })
})

describe('the table of the settings of a service', () => {
  it('docs/services.md has every setting', () => {
    const rows = rowsNamed('docs/services.md', SETTING_NAMES)
    expect(rows.map(([name]) => name)).toEqual(SETTING_NAMES)
  })
})

describe('the tables of errors', () => {
  it('docs/errors.md has every code, in order', () => {
    const rows = tableRows('docs/errors.md').filter(([name]) => name.startsWith('HAWSER_'))
    expect(rows).toEqual([
      ...Object.entries({ ...PROTOCOL_ERRORS, ...LIMIT_ERRORS }).map(([code, row]) => [
        code,
        String(row.closeCode),
        row.rfcSection,
        row.message,
      ]),
      ...Object.entries(HANDSHAKE_ERRORS).map(([code, row]) => [
        code,
        row.httpStatus === undefined ? 'none' : String(row.httpStatus),
        row.message,
      ]),
      ...Object.entries(PUBLISH_ERRORS).map(([code, row]) => [code, row.message]),
    ])
  })

  it('docs/errors.md counts them', () => {
    const rows = rowsNamed('docs/errors.md', [
      'ProtocolError',
      'LimitError',
      'HandshakeError',
      'PublishError',
    ])
    expect(rows.map(([name, count]) => [name, count])).toEqual(
      Object.entries({
        ProtocolError: PROTOCOL_ERRORS,
        LimitError: LIMIT_ERRORS,
        HandshakeError: HANDSHAKE_ERRORS,
        PublishError: PUBLISH_ERRORS,
      }).map(([name, table]) => [name, `${String(Object.keys(table).length)} codes`]),
    )
  })
})

describe('the result of Autobahn', () => {
  it('in docs/conformance.md is that of autobahn/RESULTS.md', async () => {
    const script = path.join(root, 'docs/fill-conformance.mjs')
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--check'])
    expect(stdout).toBe('docs/conformance.md is as autobahn/RESULTS.md says\n')
  })

  it('in one line of README.md is that of the table, for both roles', () => {
    const line = /All (\d+) cases .* (\d+) of them as INFORMATIONAL/.exec(read('README.md'))
    const [cases = '', informational = ''] = line?.slice(1) ?? []
    const rows = [...read('autobahn/RESULTS.md').matchAll(/^\| hawser \|(.*)\|$/gm)].map(([, cells = '']) =>
      cells
        .split('|')
        .slice(0, -1)
        .map((cell) => cell.trim()),
    )
    const ok = String(Number(cases) - Number(informational))
    expect(rows).toEqual(['server', 'client'].map((role) => [role, cases, ok, informational, '0', '0', '0']))
  })
})

describe('README.md', () => {
  it('has at most 130 lines', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(130)
  })
})

describe('docs/README.md', () => {
  it('links every page of docs but the single decisions', () => {
    const index = read('docs/README.md')
    const pages = PAGES.filter((page) => /^docs\/(?!adr\/|README)/.test(page))
    expect(pages.length).toBeGreaterThan(15)
    expect(pages.filter((page) => !index.includes(`](${page.slice('docs/'.length)})`))).toEqual([])
  })
})

const ROOMS = readdirSync(path.join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()

describe('docs/architecture.md', () => {
  const page = read('docs/architecture.md')

  /** The names in the first column of the table below a heading. */
  const namesBelow = (heading: string): string[] => {
    const [, section = ''] = page.split(`\n${heading}\n`)
    const [table = ''] = section.split(/^#/m)
    return [...table.matchAll(/^\| `([\w.-]+)` +\|/gm)].map(([, name = '']) => name).sort()
  }

  it('has a line for each room of src', () => {
    expect(namesBelow('## The rooms')).toEqual(ROOMS)
  })

  it.each(ROOMS)('has a line for each file of src/%s', (room) => {
    const files = readdirSync(path.join(root, 'src', room)).filter((name) => name.endsWith('.ts'))
    expect(namesBelow(`### ${room}`)).toEqual(files.sort())
  })

  it('names files that exist wherever it gives a path', () => {
    const files = [...page.matchAll(/`(src\/[\w./-]+)`/g)].map(([, file = '']) => file)
    expect(files.length).toBeGreaterThan(4)
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
  })
})

/** A heading as the name that links give it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const anchorsOf = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? ''))

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll(path.sep, '/')}`),
]

describe('the links', () => {
  it.each(PAGES)('of %s lead to files and headings that exist', (page) => {
    const prose = read(page).replaceAll(/^```[\s\S]*?^```$/gm, '')
    const broken = [...prose.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
      .map(([, file = '', anchor]) => {
        const target = file === '' ? page : path.join(path.dirname(page), file)
        const isThere = existsSync(path.join(root, target))
        return isThere && (anchor === undefined || anchorsOf(target).includes(anchor))
          ? ''
          : `${file}#${anchor ?? ''}`
      })
      .filter((link) => link !== '')
    expect(broken).toEqual([])
  })

  it('of SECURITY.md name test files that exist', () => {
    const files = [...read('SECURITY.md').matchAll(/`(test\/[\w./-]+)`/g)].map((match) => match[1] ?? '')
    expect(files.length).toBeGreaterThan(20)
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
  })
})

describe('docs/mutation.md', () => {
  it('has the scores of mutation/results.json', () => {
    const { page, before } = evaluatorOf('mutation/lib')(
      'results.mjs',
      `const { readFileSync } = await import('node:fs')
       return { page: await subject.pageOf(input, subject.readResults(input)), before: readFileSync(input + '/docs/mutation.md', 'utf8') }`,
      root,
    ) as { page: string; before: string }
    expect(before).toBe(page)
  })
})
