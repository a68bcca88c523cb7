/** Every row of the tables of docs/backpressure.md is a test. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const PAGE = readFileSync(path.join(__dirname, '../../docs/backpressure.md'), 'utf8')

/** What follows a heading, up to the next. */
function section(heading: string): string {
  const start = PAGE.indexOf(`\n## ${heading}\n`)
  if (start < 0) throw new Error(`docs/backpressure.md has no section ${heading}`)
  const end = PAGE.indexOf('\n## ', start + 1)
  return PAGE.slice(start, end < 0 ? undefined : end)
}

/** The first cells of the rows of a section's table. */
function rows(heading: string): string[] {
  return section(heading)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => (line.split('|')[1] as string).trim())
    .slice(2)
}

/** The titles of tests and of the groups that they stand in. */
const titles = readdirSync(__dirname)
  .filter((name) => /^liveness-.*\.test\.ts$/.test(name) && name !== path.basename(__filename))
  .flatMap((name) => {
    const source = readFileSync(path.join(__dirname, name), 'utf8')
    return [
      ...source.matchAll(/\b(?:it|describe)(?:\.concurrent)?(?:\.each\([^`]*?\))?\(\s*(['"])(.*?)\1,/gs),
    ].map(([, , title]) => title as string)
  })

const count = (start: string): number => titles.filter((title) => title.startsWith(start)).length

it('the page has the tables, and the tests have titles', () => {
  expect(rows('Situations').length).toBeGreaterThan(10)
  expect(rows('What counts as life').length).toBeGreaterThan(7)
  expect(rows('What is counted')).toHaveLength(3)
  expect(titles.length).toBeGreaterThan(50)
})

it.each(rows('Situations'))('the situation "%s" is a test', (situation) => {
  expect(count(situation)).toBeGreaterThan(0)
})

it.each([...new Set(rows('What counts as life'))])('each row of %s is a test', (cell) => {
  const name = cell.replaceAll('`', '')
  expect(count(name)).toBeGreaterThanOrEqual(rows('What counts as life').filter((one) => one === cell).length)
})

it.each(rows('What is counted'))('the policy %s is a test', (cell) => {
  const [policy] = /'\w+'/.exec(cell) as unknown as [string]
  expect(count(`slowConsumer ${policy}`)).toBeGreaterThan(0)
})

it('each bullet of "Nothing received is lost" is a test', () => {
  const bullets = section('Nothing received is lost')
    .split('\n')
    .filter((line) => line.startsWith('- '))
  expect(bullets.length).toBeGreaterThan(3)
  for (const [i] of bullets.entries()) expect(count(`Nothing received is lost ${i + 1}:`)).toBeGreaterThan(0)
})
