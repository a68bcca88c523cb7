/**
 * A JSON API: a field of the message chooses the handler, a schema says what may come, and what a handler returns is the
 * answer. The schema is zod's; valibot, arktype and all that follow Standard Schema do as well. After `npm run build`:
 *
 *   node examples/json-api.mjs
 */
import { connect, WebSocketServer } from 'hawser'
import { router } from 'hawser/json'
import { z } from 'zod'

const id = z.number().int()
const Request = z.discriminatedUnion('method', [
  z.object({ method: z.literal('add'), id, title: z.string().min(1).max(100) }),
  z.object({ method: z.literal('done'), id, task: z.number().int() }),
  z.object({ method: z.literal('list'), id }),
  z.object({ method: z.literal('export'), id }),
])

const tasks = new Map()

const server = new WebSocketServer()
const api = server.route('/tasks', {
  ...router(
    'method',
    {
      add(socket, request) {
        const task = { task: tasks.size + 1, title: request.title, isDone: false }
        tasks.set(task.task, task)
        api.broadcast(JSON.stringify({ event: 'added', ...task }), { except: socket })
        return { id: request.id, result: task }
      },
      done(socket, request) {
        const task = tasks.get(request.task)
        if (task === undefined) return { id: request.id, error: `there is no task ${request.task}` }
        task.isDone = true
        return { id: request.id, result: task }
      },
      list: (socket, request) => ({ id: request.id, result: [...tasks.values()] }),
      // One answer for each task, at the pace of the client.
      async *export(socket, request) {
        for (const task of tasks.values()) yield { id: request.id, part: task }
        yield { id: request.id, end: true }
      },
    },
    { schema: Request },
  ),
  // Instead of the end of the connection: 1003 for what is no JSON, 1007 for what the schema does not allow.
  onInvalidMessage: (socket, error) => ({
    error: error.issues.map(({ message }) => message).join('; ') || error.message,
  }),
})

const { port } = await server.listen(0)
const open = () => connect(`ws://localhost:${port}/tasks`)
const [ada, bob] = [await open(), await open()]
const read = async (who, socket) => console.log(`${who}: ${await socket.receive({ timeoutMs: 5000 })}`)

ada.sendJson({ method: 'add', id: 1, title: 'buy rope' })
await read('ada', ada)
await read('bob', bob)
bob.sendJson({ method: 'done', id: 1, task: 1 })
await read('bob', bob)
bob.sendJson({ method: 'done', id: 2, task: 7 })
await read('bob', bob)
ada.sendJson({ method: 'export', id: 2 })
await read('ada', ada)
await read('ada', ada)
ada.sendJson({ method: 'add', id: 3, title: '' })
await read('ada', ada)
ada.send('not JSON')
await read('ada', ada)
await server.close()
