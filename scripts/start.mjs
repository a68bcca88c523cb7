/** `npm start`: builds, then becomes the `hawser` command, with the flags given. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const build = fileURLToPath(new URL('build.mjs', import.meta.url))
const command = new URL('../dist/demo/main.js', import.meta.url)

console.log('Building hawser ...')
const { status } = spawnSync(process.execPath, [build], { stdio: ['ignore', 'inherit', 'inherit'] })
if (status === 0) {
  // npm hands a signal to the shell that it runs scripts in, and that shell ends without handing it on: the server
  // would live on and keep its port. So it ends when the shell does.
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    // Once: a second signal would cut the connections that are being closed.
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 250).unref()

  process.argv[1] = fileURLToPath(command)
  await import(command.href)
} else {
  process.exitCode = 1
}
