// slow: a program of its own, without a compiler
import { Programs } from '../helpers/child.js'

const programs = new Programs()
afterAll(() => programs.remove())

it('Hawser echoes messages of all sizes where there is no WebAssembly, under --jitless', async () => {
  const { ended } = programs.run(
    `import { WebSocketServer, connect } from './src/index.js'
     import { lane } from './src/native/simd.js'
     console.log(typeof WebAssembly, lane.isOpen)
     const server = new WebSocketServer()
     server.route('/', { onMessage: (_, message) => message })
     const { port } = await server.listen(0, '127.0.0.1')
     const socket = await connect('ws://127.0.0.1:' + port + '/')
     for (const length of [5, 100, 5000, 400_000]) {
       for (const message of ['a'.repeat(length), '\\u00e4\\u20ac'.repeat(length / 5), Buffer.alloc(length, 0xe4)]) {
         socket.send(message)
         const answer = await socket.receive()
         console.log(typeof message === 'string' ? answer === message : message.equals(answer))
       }
     }
     socket.terminate()
     await server.close({ timeoutMs: 0 })`,
    ['--jitless'],
  )
  const { status, lines, errors } = await ended
  expect([status, lines]).toEqual([0, ['undefined false', ...Array.from({ length: 12 }, () => 'true')]])
  // Node itself tells that it turns WebAssembly off.
  expect(errors.replace(/^Warning: disabling flag --expose_wasm .*\n/, '')).toBe('')
}, 60_000)
