/** docs/whatwg.md says which of the web-platform-tests hold: those that run, and no others. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { WPT_CASES } from './wpt/index.js'
import { filesOf, readFiles, rowsOf } from './wpt/table.js'

const page = readFileSync(path.join(__dirname, '../../docs/whatwg.md'), 'utf8')

/** The cells of the table below a heading, without its head. */
function rowsBelow(heading: string): string[][] {
  const [, section = ''] = page.split(`\n### ${heading}\n`)
  const [text = ''] = section.split(/^#/m)
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
}

describe('docs/whatwg.md', () => {
  it('has a row for each case that runs, with its title and its files', () => {
    expect(rowsBelow('What holds')).toEqual(rowsOf(WPT_CASES))
  })

  it('says of every other file why it is not among them, and of none both', () => {
    const others = rowsBelow('What is left out').flatMap(([files = '']) => readFiles(files))
    const held = new Set(WPT_CASES.flatMap(filesOf))
    expect(others.length).toBeGreaterThan(10)
    expect(others.filter((file) => held.has(file))).toEqual([])
    expect(rowsBelow('What is left out').filter(([, why = '']) => why === '')).toEqual([])
  })
})
