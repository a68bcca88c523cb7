// slow: 1,500 connections of every kind
/**
 * RFC 9112 section 9.3.2, RFC 6455 section 10: a server that shares its port lives through HTTP requests and upgrades that
 * are mixed, pipelined and cut at random. `node test/stress/mixed-connections.mjs` runs the same with 50,000.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Programs } from '../helpers/child.js'

let programs: Programs
beforeAll(() => {
  programs = new Programs()
})
afterAll(() => programs.remove())

const SCRIPT = path.join(__dirname, '../stress/mixed-connections.mjs')

it('the process survives 1,500 connections, and those that are not cut get their answers in order', async () => {
  const { ended } = programs.run(`
    process.argv = [process.argv[0], ${JSON.stringify(SCRIPT)}, '1500', '9', new URL('./src/index.js', import.meta.url).href]
    await import(${JSON.stringify(pathToFileURL(SCRIPT).href)})
  `)
  const { status, errors, lines } = await ended
  expect(lines[0]).toBe('count 1500 seed 9')
  expect(lines.slice(1).map((line) => line.replace(/ in .*/, ''))).toEqual(['lived through 1500 connections'])
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
}, 120_000)
