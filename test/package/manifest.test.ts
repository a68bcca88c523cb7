/** What the manifest promises, against the files of src. The packed tarball has its own check: `npm run package:check`. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

const root = path.join(__dirname, '../..')

interface Target {
  readonly types: string
  readonly default: string
}

interface Manifest {
  readonly [field: string]: unknown
  readonly main: string
  readonly types: string
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly import: Target; readonly require: Target }>>
  readonly scripts: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, object>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const readText = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const manifest = JSON.parse(readText('package.json')) as Manifest

/** The source of a built file: dist/esm/frame/index.d.ts comes from src/frame/index.ts, dist/demo/main.js from demo/main.ts. */
const sourceOf = (target: string): string =>
  target
    .replace(/^\.\/dist\/(esm|cjs)\//, 'src/')
    .replace(/^\.\/dist\/demo\//, 'demo/')
    .replace(/(\.d\.ts|\.js)$/, '.ts')

/** Each is a file of src/adapters. */
const ADAPTERS = ['./crossws', './express', './fastify', './hono', './nest']

/** Each is a file of src/brokers. */
const BROKERS = ['./nats', './redis']

const entries = Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
  typeof entry === 'string' ? [] : [{ subpath, entry }],
)

describe('package.json', () => {
  it('names no runtime dependency of any kind', () => {
    for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies']) {
      expect(manifest[field]).toBeUndefined()
    }
  })

  it('has the frameworks of the adapters and the clients of the brokers as peers, each of them optional, and tests with each', () => {
    const { peerDependencies, peerDependenciesMeta, devDependencies } = manifest
    expect(Object.keys(peerDependencies)).toEqual([
      '@hono/node-server',
      '@nats-io/transport-node',
      '@nestjs/websockets',
      'crossws',
      'express',
      'fastify',
      'hono',
      'ioredis',
      'nats',
      'redis',
    ])
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(Object.keys(peerDependencies)))
    expect(peerDependenciesMeta).toEqual(
      Object.fromEntries(Object.keys(peerDependencies).map((name) => [name, { optional: true }])),
    )
  })

  it('runs nothing when it is installed', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare']
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([])
  })

  it('exports the package, what builds on it, the four rooms that stand alone, the backplanes, recovery, the brokers, the adapters, and itself', () => {
    expect(Object.keys(manifest.exports)).toEqual([
      '.',
      './endpoints',
      './json',
      './whatwg',
      './frame',
      './handshake',
      './deflate',
      './connection',
      './backplane',
      './recovery',
      ...BROKERS,
      ...ADAPTERS,
      './package.json',
    ])
  })

  it.each(entries)(
    '$subpath: each target is built from its own index.ts or file of adapters or brokers, types first',
    ({ subpath, entry }) => {
      const source = ADAPTERS.includes(subpath)
        ? path.posix.join('src/adapters', `${subpath}.ts`)
        : BROKERS.includes(subpath)
          ? path.posix.join('src/brokers', `${subpath}.ts`)
          : path.posix.join('src', subpath, 'index.ts')
      expect(existsSync(path.join(root, source))).toBe(true)
      expect(Object.keys(entry)).toEqual(['import', 'require'])
      for (const [format, target] of [
        ['esm', entry.import],
        ['cjs', entry.require],
      ] as const) {
        expect(Object.keys(target)).toEqual(['types', 'default'])
        for (const file of Object.values(target)) {
          expect(file.startsWith(`./dist/${format}/`)).toBe(true)
          expect(sourceOf(file)).toBe(source)
        }
      }
    },
  )

  it('gives old resolvers the CommonJS build, and has a source for the command', () => {
    expect([manifest.main, manifest.types].map(sourceOf)).toEqual(['src/index.ts', 'src/index.ts'])
    const command = sourceOf(manifest.bin['hawser'] ?? '')
    expect(readText(command).startsWith('#!/usr/bin/env node\n')).toBe(true)
  })

  it('calls only scripts that exist', () => {
    const called = Object.values(manifest.scripts).flatMap((text) => [...text.matchAll(/npm run (\S+)/g)])
    expect(called.map((match) => match[1] ?? '').filter((name) => !(name in manifest.scripts))).toEqual([])
  })
})

describe('package-lock.json', () => {
  it('names no host of a registry', () => {
    // Workspaces are resolved to their folders.
    const text = readText('package-lock.json').replaceAll(/"resolved": "(packages\/ws|test\/nest-12)"/g, '')
    expect(text).not.toContain('"resolved"')
  })

  it('lists every platform package that an optional dependency asks for, so that npm ci accepts it', () => {
    const { packages } = JSON.parse(readText('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const asked = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    expect(asked.filter((name) => !(`node_modules/${name}` in packages))).toEqual([])
  })
})

describe('src', () => {
  it('has an index.ts in each room that is exported, and re-exports only in the top one', () => {
    const rooms = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    )
    expect(rooms.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['endpoints', 'json', 'whatwg', 'frame', 'handshake', 'deflate', 'connection']),
    )
    const code = readText('src/index.ts').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    expect(code.replace(/export (type )?(\*|\{[^}]*\}) from '[^']+'/g, '').trim()).toBe('')
  })

  it('has about 40 names at the root, types included; those of the client that reconnects and of the channels come on top', () => {
    const lists = [...readText('src/index.ts').matchAll(/export (?:type )?\{([^}]*)\}/g)]
    const names = lists.flatMap(([, list = '']) => list.split(',').filter((name) => name.trim() !== ''))
    expect(names.length).toBeGreaterThan(35)
    expect(names.length).toBeLessThanOrEqual(63)
  })
})
