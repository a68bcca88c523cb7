/** A connection of which the stream throws when it is read on. */
import { Programs } from '../../helpers/child.js'

it('goes on behind a connection of which the stream throws', async () => {
  // What is thrown there reaches the process: a test of its own one.
  const programs = new Programs()
  const { status, errors, lines } = await programs.run(`
    import { inputTurns } from './src/socket/input-turns.js'
    process.on('uncaughtException', (error) => console.log('caught', error.message))
    const named = (name) => ({ takeTurn: () => console.log(name) })
    inputTurns.add(named('before'), 1)
    inputTurns.add({ takeTurn: () => { throw new Error('a stream that throws') } }, 1)
    inputTurns.add(named('behind'), 1)
  `).ended
  programs.remove()
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(lines).toEqual(['before', 'caught a stream that throws', 'behind'])
})
