// slow: builds the package
/** The built package is one copy of the code, whichever way it is loaded (docs/adr/0005). */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const root = path.join(__dirname, '../..')
const BUILD_TIMEOUT_MS = 180_000

let project: string

beforeAll(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'hawser-one-copy-'))
  const installed = path.join(project, 'node_modules/hawser')
  await mkdir(installed, { recursive: true })
  await copyFile(path.join(root, 'package.json'), path.join(installed, 'package.json'))
  const build = [path.join(root, 'scripts/build.mjs'), '--code-only', '--out', path.join(installed, 'dist')]
  await promisify(execFile)(process.execPath, build)
  await copyFile(path.join(__dirname, 'both-ways.mjs'), path.join(project, 'both-ways.mjs'))
}, BUILD_TIMEOUT_MS)

afterAll(async () => {
  await rm(project, { recursive: true, force: true })
})

const run = async (file: string): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: project })
  return stdout
}

describe('the package, loaded by import and by require in one process', () => {
  it('shares classes, and takes decisions, replies, errors and prepared messages of the other way', async () => {
    const said = await run('both-ways.mjs')
    expect(said).toMatch(/^\d+ exports are the same by import and by require; helpers work across\n$/)
  })

  it('imports the ES modules of a directory of endpoints also where it was loaded by require', async () => {
    const directory = path.join(project, 'endpoints')
    await mkdir(directory)
    await writeFile(path.join(directory, 'echo.mjs'), 'export const onTextMessage = (_, text) => text\n')
    await writeFile(
      path.join(directory, 'echo.websocket.json'),
      JSON.stringify({ handler: 'echo.mjs', endpoint: 'echo' }),
    )
    const program = `const { WebSocketServer } = require('hawser')
const { listEndpoints, serveDirectory } = require('hawser/endpoints')
const server = new WebSocketServer()
serveDirectory(server, 'endpoints').then(() => {
  console.log(listEndpoints(server)[0].path)
  return server.close()
})
`
    await writeFile(path.join(project, 'endpoints.cjs'), program)
    expect(await run('endpoints.cjs')).toBe('/service/echo\n')
  })
})
