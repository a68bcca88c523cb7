// slow: it compiles every TypeScript program of the documents
/** The programs in TypeScript of README.md and docs/ compile, in strict mode, against the types of the sources. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findTypeErrors, installHawser, root } from '../helpers/doc-programs.js'

const PAGES = [
  'README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (name) => `docs/${name.replaceAll(path.sep, '/')}`,
  ),
].filter((name) => name.endsWith('.md'))

describe('the programs in TypeScript', () => {
  it('compile', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-docs-'))
    try {
      installHawser(directory, [
        ...[
          '@hono/node-server',
          '@types/express',
          '@nestjs/common',
          '@nestjs/core',
          '@nestjs/websockets',
          'express',
          'fastify',
        ],
        ...['hono', 'reflect-metadata', 'valibot', 'ws', 'zod'],
      ])
      const files = PAGES.flatMap((page) => {
        const text = readFileSync(path.join(root, page), 'utf8')
        return [...text.matchAll(/^<!-- run(?:: \w+)? -->\n\n```ts\n([\s\S]*?)^```$/gm)].map((match) => {
          const line = text.slice(0, match.index).split('\n').length
          const file = path.join(directory, `${page.replaceAll('/', '-')}-${String(line)}.mts`)
          writeFileSync(file, match[1] ?? '')
          return file
        })
      })
      expect(files.length).toBeGreaterThan(4)
      const ofFrameworks = files.filter((file) => file.includes('docs-frameworks.md-'))
      expect(ofFrameworks.length).toBeGreaterThanOrEqual(4)
      expect(findTypeErrors(files, directory)).toEqual([])
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
