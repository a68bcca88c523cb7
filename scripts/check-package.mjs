/**
 * Packs the package as `npm publish` would, installs the tarball in an empty project, and tries it there: what it
 * holds, the command, every subpath by import and by require, the types in each mode of resolution, one round trip.
 *
 * node scripts/check-package.mjs [--built]     --built: dist is fresh, do not build it again
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { checkPublicTypes } from './public-types.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = process.execPath
const tool = (file) => path.join(root, 'node_modules', file)

const SUBPATHS = [
  'hawser',
  'hawser/endpoints',
  'hawser/json',
  'hawser/whatwg',
  'hawser/frame',
  'hawser/handshake',
  'hawser/deflate',
  'hawser/connection',
  'hawser/backplane',
  'hawser/crossws',
  'hawser/nats',
  'hawser/recovery',
  'hawser/redis',
  'hawser/express',
  'hawser/fastify',
  'hawser/hono',
  'hawser/nest',
]

/** All that the tarball may hold. */
const EXPECTED_FILES = [
  /^(package\.json|LICENSE|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md)$/,
  /^docs\/([a-z]+\/)?[\w.-]+\.md$/,
  /^examples\/([a-z0-9-]+\.mjs|README\.md)$/,
  /^examples\/two-nodes\/(README\.md|nginx\.conf|page\.html|(server|start)\.mjs)$/,
  /^examples\/opentelemetry\/(README\.md|(server|telemetry)\.mjs)$/,
  /^dist\/(esm|cjs)\/([a-z0-9-]+\/)*[a-z0-9-]+(\.d\.ts|\.js)$/,
  /^dist\/(esm|cjs)\/package\.json$/,
  /^dist\/demo\/([a-z0-9-]+\/)*[a-z0-9-]+\.(js|html|css|svg)$/,
]
const REQUIRED_FILES = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/cjs/package.json']

/** Every export of every subpath; a type that did not resolve would be `any`, and fail here. */
const TYPES_CONSUMER = `${SUBPATHS.map((name, at) => `import * as m${at} from '${name}'`).join('\n')}
type IsAny<T> = 0 extends 1 & T ? true : false
${SUBPATHS.map((_, at) => `export const typed${at}: IsAny<typeof m${at}> = false`).join('\n')}
export const all: readonly object[] = [${SUBPATHS.map((_, at) => `m${at}`).join(', ')}]
`

/** The first lines of a user: a server, a client, one message there and back. */
const ROUND_TRIP = `import { WebSocketServer, connect } from 'hawser'

async function main(): Promise<void> {
  const server = new WebSocketServer()
  server.route('/echo', {
    onTextMessage: (socket, text: string) => {
      socket.send(text)
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const socket = await connect(\`ws://127.0.0.1:\${String(port)}/echo\`)
  socket.send('hello')
  for await (const message of socket) {
    console.log(message)
    break
  }
  await socket.close()
  await server.close()
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
`

/** Streams of a WebSocketStream, piped to and from others: with lib dom these are of other types than those of Node. */
const PIPES = `import { WebSocketStream } from 'hawser/whatwg'
import * as web from 'node:stream/web'

declare const texts: ReadableStream<string>
declare const textsOfNode: web.ReadableStream<string>
declare const bytes: ReadableStream<Uint8Array>

export async function pipe(): Promise<void> {
  const { readable, writable } = await new WebSocketStream('ws://localhost/').opened
  await texts.pipeTo(writable)
  await textsOfNode.pipeTo(writable)
  await bytes.pipeTo(writable)
  await texts.pipeThrough(new TransformStream<string, string>()).pipeTo(writable)
  await readable.pipeTo(new WritableStream<string | Uint8Array>())
  await readable.pipeThrough(new TransformStream<string | Uint8Array, string>()).pipeTo(writable)
  for await (const message of readable) await writable.getWriter().write(message)
}
`

class Failure extends Error {}

function check(condition, message) {
  if (!condition) throw new Failure(message)
}

/** Runs a program; what it printed becomes the failure's text where it does not end well. */
async function run(command, args, cwd) {
  try {
    const child = promisify(execFile)(command, args, { cwd, timeout: 120_000, maxBuffer: 16 << 20 })
    child.child.stdin.end()
    return (await child).stdout
  } catch (error) {
    const line = [command === node ? 'node' : command, ...args].join(' ')
    throw new Failure(
      [line, error.stdout, error.stderr, error.killed ? 'timed out' : ''].filter(Boolean).join('\n'),
    )
  }
}

/** A list for a message: its first ten rows. */
function show(rows) {
  const more = rows.length > 10 ? [`... and ${String(rows.length - 10)} more`] : []
  return [...rows.slice(0, 10), ...more].join('\n')
}

async function listFiles(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .sort()
}

/** What the tarball holds: all that it should, and nothing else. */
async function checkFiles(installed) {
  const files = await listFiles(installed)
  const odd = files.filter((file) => !EXPECTED_FILES.some((pattern) => pattern.test(file)))
  check(odd.length === 0, `files that should not be published:\n${show(odd)}`)

  const sources = (await listFiles(path.join(root, 'src'))).filter((file) => file.endsWith('.ts'))
  const built = sources.flatMap((file) =>
    ['js', 'd.ts'].map((ending) => `dist/cjs/${file.replace(/ts$/, ending)}`),
  )
  const { exports } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  const entries = SUBPATHS.map((name) => exports[name.replace('hawser', '.')].import)
  built.push(...entries.flatMap((entry) => Object.values(entry).map((file) => path.posix.normalize(file))))
  // The command, and its page, which is copied as it is.
  const demo = await listFiles(path.join(root, 'demo'))
  built.push(...demo.map((file) => `dist/demo/${file.replace(/ts$/, 'js')}`))
  const missing = [...REQUIRED_FILES, ...built].filter((file) => !files.includes(file))
  check(missing.length === 0, `files that are missing:\n${show(missing)}`)
  const stale = files.filter((file) => /^dist\/.*\.(js|d\.ts)$/.test(file) && !built.includes(file))
  check(stale.length === 0, `built files without a source:\n${show(stale)}`)

  let bytes = 0
  for (const file of files) {
    const text = await readFile(path.join(installed, file), 'utf8')
    bytes += Buffer.byteLength(text)
    check(!text.includes(path.resolve(root)), `${file} names a path of the machine that built it`)
  }
  return `${String(files.length)} files, ${String(Math.round(bytes / 1024))} KiB unpacked`
}

async function checkManifest(installed) {
  const manifest = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8'))
  for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies']) {
    check(manifest[field] === undefined, `the manifest has ${field}`)
  }
  for (const name of Object.keys(manifest.peerDependencies)) {
    check(
      manifest.peerDependenciesMeta[name]?.optional === true,
      `the peer dependency ${name} is not optional`,
    )
  }
  for (const hook of ['preinstall', 'install', 'postinstall']) {
    check(manifest.scripts?.[hook] === undefined, `the manifest runs ${hook}`)
  }
  check(manifest.license === 'MIT', 'the licence is not MIT')
  return `${manifest.name} ${manifest.version}, no dependency, no install script`
}

async function checkCommand(project) {
  const command = path.join(project, 'node_modules/.bin/hawser')
  check(((await stat(command)).mode & 0o111) !== 0, 'the command is not executable')
  const help = await run(command, ['--help'], project)
  for (const word of ['hawser', '--port', '--host', '--help']) {
    check(help.includes(word), `hawser --help does not mention ${word}`)
  }
  return 'hawser --help'
}

/** Every subpath, loaded both ways in plain JavaScript, has the same names. */
async function checkImports(project) {
  const list = JSON.stringify(SUBPATHS)
  const show = 'console.log(JSON.stringify(names))'
  const collect = (load) => `const names = {}
for (const name of ${list}) names[name] = Object.keys(${load}).filter((key) => key !== '__esModule').sort()
${show}
`
  await writeFile(path.join(project, 'load.mjs'), collect('await import(name)'))
  await writeFile(path.join(project, 'load.cjs'), collect('require(name)'))
  const esm = JSON.parse(await run(node, ['load.mjs'], project))
  const cjs = JSON.parse(await run(node, ['load.cjs'], project))
  for (const name of SUBPATHS) {
    check(esm[name].length > 0, `${name} exports nothing`)
    check(esm[name].join() === cjs[name].join(), `${name} differs: import ${esm[name]}; require ${cjs[name]}`)
  }
  await writeFile(path.join(project, 'manifest.cjs'), "require('hawser/package.json')\n")
  await run(node, ['manifest.cjs'], project)
  return SUBPATHS.map((name) => `${name} ${String(esm[name].length)}`).join(', ')
}

/** One copy of the code: what comes by import works with what comes by require, in one process. */
async function checkOneCopy(project) {
  await copyFile(path.join(root, 'test/package/both-ways.mjs'), path.join(project, 'both-ways.mjs'))
  return (await run(node, ['both-ways.mjs'], project)).trim()
}

/** Strict consumers compile, in each mode of resolution that Node 20 and bundlers have. */
async function checkTypes(project) {
  const common = {
    target: 'es2022',
    lib: ['es2023'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    rootDir: '.',
    typeRoots: [path.join(root, 'node_modules/@types')],
    types: ['node'],
  }
  for (const ending of ['mts', 'cts']) {
    await writeFile(path.join(project, `types.${ending}`), TYPES_CONSUMER)
    await writeFile(path.join(project, `round-trip.${ending}`), ROUND_TRIP)
    await writeFile(path.join(project, `pipes.${ending}`), PIPES)
  }
  const modes = {
    nodenext: { module: 'nodenext', moduleResolution: 'nodenext', outDir: 'out' },
    node16: { module: 'node16', moduleResolution: 'node16', noEmit: true },
    bundler: { module: 'esnext', moduleResolution: 'bundler', noEmit: true },
    // What a project has that names no lib.
    'lib dom': { module: 'nodenext', lib: ['es2023', 'dom'], noEmit: true },
  }
  for (const [name, options] of Object.entries(modes)) {
    const files = name === 'bundler' ? ['types.mts', 'round-trip.mts', 'pipes.mts'] : ['*.mts', '*.cts']
    const config = { compilerOptions: { ...common, ...options }, include: files }
    await writeFile(path.join(project, `tsconfig.${name}.json`), JSON.stringify(config))
    await run(node, [tool('typescript/bin/tsc'), '-p', `tsconfig.${name}.json`], project)
  }
  return Object.keys(modes).join(', ')
}

/** No type that a user can reach is internal, or has a member that is, or says nothing of itself. */
async function checkDeclarations(installed) {
  const { exports } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8'))
  const files = SUBPATHS.map((name) =>
    path.join(installed, exports[name.replace('hawser', '.')].require.types),
  )
  const { faults, types, members } = checkPublicTypes(files, (file) => file.startsWith(installed), {
    typeRoots: [path.join(root, 'node_modules/@types')],
    types: ['node'],
  })
  check(faults.length === 0, `public types:\n${show(faults)}`)
  return `${String(types.length)} types with ${String(members)} members, all with docstrings, none internal`
}

/** The consumers that checkTypes compiled, run. */
async function checkRoundTrip(project) {
  for (const file of ['out/round-trip.mjs', 'out/round-trip.cjs']) {
    const said = await run(node, [file], project)
    check(said.trim() === 'hello', `${file} said ${JSON.stringify(said)}`)
  }
  return 'a message there and back, by import and by require'
}

/** The links of the README and of the index lead to what is in the package. */
async function checkLinks(installed) {
  let count = 0
  for (const page of ['README.md', 'docs/README.md', 'examples/README.md']) {
    const text = await readFile(path.join(installed, page), 'utf8')
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      const target = path.join(installed, path.dirname(page), link)
      const isThere = await stat(target).then(
        () => true,
        () => false,
      )
      check(isThere, `${page} links ${link}, which is not in the package`)
      count += 1
    }
  }
  return `${String(count)} lead to files of the package`
}

/** The programs of docs/getting-started.md, as a reader compiles them. That they run is tested from the sources. */
async function checkGettingStarted(project) {
  const text = await readFile(path.join(root, 'docs/getting-started.md'), 'utf8')
  const blocks = [...text.matchAll(/^<!-- file: (\S+) -->\n\n```\w+\n([\s\S]*?)^```$/gm)]
  const folder = path.join(project, 'chat')
  await mkdir(path.join(folder, 'src'), { recursive: true })
  await writeFile(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  // A later block replaces an earlier one of the same name.
  for (const [, name, code] of blocks) await writeFile(path.join(folder, name), code)
  const types = ['--typeRoots', path.join(root, 'node_modules/@types')]
  await run(node, [tool('typescript/bin/tsc'), '-p', folder, ...types], folder)
  return `${String(blocks.length)} blocks`
}

/** The types as attw sees them, but for the resolution of Node 10, which knows no subpaths. */
async function checkTypesResolve(tarball) {
  const args = [
    tool('@arethetypeswrong/cli/dist/index.js'),
    '--profile',
    'node16',
    '--format',
    'json',
    tarball,
  ]
  // It ends with 1 where it found a problem, and says which in the same JSON.
  const { stdout } = await promisify(execFile)(node, args, { cwd: root, maxBuffer: 16 << 20 }).catch(
    (error) => error,
  )
  const { analysis } = JSON.parse(stdout)
  const problems = (analysis.problems ?? []).filter(({ resolutionKind }) => resolutionKind !== 'node10')
  check(problems.length === 0, `attw finds:\n${show(problems.map((problem) => JSON.stringify(problem)))}`)
  // A package without any types is no problem to it.
  for (const subpath of SUBPATHS.map((name) => name.replace('hawser', '.'))) {
    for (const mode of ['node16-cjs', 'node16-esm', 'bundler']) {
      const found = analysis.entrypoints?.[subpath]?.resolutions?.[mode]?.resolution
      check(found?.isTypeScript === true, `attw finds no types for ${subpath} in ${mode}`)
    }
  }
  return 'every subpath in every mode'
}

async function checkPackage(built) {
  const temp = await mkdtemp(path.join(tmpdir(), 'hawser-package-'))
  try {
    if (built) await stat(path.join(root, 'dist/esm'))
    else await run(node, [path.join(root, 'scripts/build.mjs')], root)
    const packed = path.join(temp, 'packed')
    const project = path.join(temp, 'project')
    await mkdir(packed)
    await mkdir(project)
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', packed], root)
    const [name] = await readdir(packed)
    const tarball = path.join(packed, name)
    await writeFile(path.join(project, 'package.json'), '{ "private": true }\n')
    await run(
      'npm',
      ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball],
      project,
    )
    const installed = path.join(project, 'node_modules/hawser')
    // The types of an adapter name those of its framework, which its user has.
    for (const name of ['fastify', 'hono']) {
      await symlink(tool(name), path.join(project, 'node_modules', name), 'junction')
    }

    const steps = [
      ['files', () => checkFiles(installed)],
      ['manifest', () => checkManifest(installed)],
      ['imports', () => checkImports(project)],
      ['one copy', () => checkOneCopy(project)],
      ['types', () => checkTypes(project)],
      ['declarations', () => checkDeclarations(installed)],
      ['round trip', () => checkRoundTrip(project)],
      ['links', () => checkLinks(installed)],
      ['getting started', () => checkGettingStarted(project)],
      ['command', () => checkCommand(project)],
      [
        'publint',
        () => run(node, [tool('publint/src/cli.js'), 'run', tarball, '--strict'], root).then(() => 'ok'),
      ],
      ['attw', () => checkTypesResolve(tarball)],
    ]
    let failures = 0
    for (const [step, act] of steps) {
      try {
        console.log(`  ${step}: ${await act()}`)
      } catch (error) {
        failures += 1
        console.error(`  ${step} FAILED: ${error instanceof Failure ? error.message : error.stack}`)
      }
    }
    return failures
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

const { values } = parseArgs({ options: { built: { type: 'boolean', default: false } } })
try {
  if ((await checkPackage(values.built)) > 0) process.exitCode = 1
} catch (error) {
  console.error(`package check: ${error instanceof Failure ? error.message : error.stack}`)
  process.exitCode = 1
}
