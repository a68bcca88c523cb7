import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

describe('the results of a processor', () => {
  test('have a name that no other processor has: its words, its family, model and stepping', () => {
    const cpus = [
      { cpu: 'Intel(R) Xeon(R) Processor', model: '6-207-2' },
      { cpu: 'Intel(R) Xeon(R) CPU E5-2676 v3 @ 2.40GHz', model: '6-63-2' },
      { cpu: 'AMD EPYC', model: '' },
      { cpu: 'Apple M1', model: '' },
      { cpu: '', model: '' },
    ]
    expect(evaluate('results.mjs', 'return input.map(subject.slugOf)', cpus)).toEqual([
      ...['intel-xeon-6-207-2', 'intel-xeon-e5-2676-v3-6-63-2', 'amd-epyc', 'apple-m1', 'unknown'],
    ])
  })

  test('read family, model and stepping where the system tells them', () => {
    const text = 'processor\t: 0\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Intel\nstepping\t: 2\n'
    expect(
      evaluate('results.mjs', 'return [subject.readModel(input), subject.readModel("Features : fp")]', text),
    ).toEqual([['6', '207', '2'], []])
  })

  test('are all read, the last measured first, those of one Node as those of the Node that ran', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hawser-test-'))
    try {
      const write = (name: string, results: object): void => {
        writeFileSync(join(folder, name), JSON.stringify(results))
      }
      write('a.json', { date: '2026-01-01', node: 'v20.1.0', rows: [{ name: 'x' }] })
      write('b.json', {
        date: '2026-02-01',
        nodes: { this: 'v20.1.0' },
        rows: [{ name: 'y', node: 'newest' }],
      })
      write('chart.svg', {})
      expect(evaluate('read-results.mjs', 'return subject.readAllResults(input)', folder)).toMatchObject([
        { slug: 'b', rows: [{ name: 'y', node: 'newest' }] },
        { slug: 'a', nodes: { this: 'v20.1.0' }, rows: [{ name: 'x', node: 'this' }] },
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('have rows that were measured by themselves, unless the whole run has them as well', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hawser-test-'))
    try {
      mkdirSync(join(folder, 'alone'))
      const write = (name: string, results: object): void => {
        writeFileSync(join(folder, name), JSON.stringify(results))
      }
      const rows = [{ name: 'long', node: 'this' }, { name: 'x' }]
      write('a.json', { date: '2026-01-02', node: 'v20.1.0', rows: [{ name: 'x', median: 1 }] })
      write('alone/a.json', { date: '2026-01-01', commit: '0123', nodes: { this: 'v20.2.0' }, rows })
      write('b.json', { date: '2026-01-01', node: 'v20.1.0', rows: [] })
      expect(evaluate('read-results.mjs', 'return subject.readAllResults(input)', folder)).toMatchObject([
        {
          slug: 'a',
          alone: [{ name: 'long', date: '2026-01-01', commit: '0123', isQuiet: false, version: 'v20.2.0' }],
          rows: [
            { name: 'x', median: 1 },
            { name: 'long', node: 'this' },
          ],
        },
        { slug: 'b', alone: [], rows: [] },
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
