import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

interface Program {
  readonly name: string
  readonly packages: readonly string[]
  readonly quick?: boolean
  readonly carries: { readonly server?: number; readonly client?: number }
}

interface Manifest {
  readonly private: boolean
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}

const root = path.join(__dirname, '../..')
const folder = path.join(root, 'consumers')
const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest
const list = path.join(folder, 'list.mjs')
const PROGRAMS = JSON.parse(
  execFileSync(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { PROGRAMS } from ${JSON.stringify(pathToFileURL(list).href)}; console.log(JSON.stringify(PROGRAMS))`,
  ]).toString(),
) as readonly Program[]

describe('The programs of consumers', () => {
  it('are the files of its folder', () => {
    const files = readdirSync(path.join(folder, 'programs'))
    expect(files.sort()).toEqual(PROGRAMS.map(({ name }) => `${name}.mjs`).sort())
  })

  it('have versions that are written out, in the part of the manifest that their set installs', () => {
    const { dependencies, devDependencies } = manifest
    const versions = Object.values({ ...dependencies, ...devDependencies })
    expect(versions.filter((version) => !/^\d+[.]\d+[.]\d+$/.test(version))).toEqual([])
    for (const { packages, quick } of PROGRAMS) {
      const there = Object.keys(quick === true ? dependencies : { ...dependencies, ...devDependencies })
      expect(there).toEqual(expect.arrayContaining([...packages]))
    }
  })

  it('each need the drop-in for a connection at the least', () => {
    const idle = PROGRAMS.filter(({ carries }) => (carries.server ?? 0) + (carries.client ?? 0) < 1)
    expect(idle).toEqual([])
  })

  it('are no part of what the repository installs, or publishes', () => {
    const { files, workspaces } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      files: string[]
      workspaces?: string[]
    }
    expect(manifest.private).toBe(true)
    expect(files.concat(workspaces ?? []).filter((place) => place.includes('consumers'))).toEqual([])
  })
})
