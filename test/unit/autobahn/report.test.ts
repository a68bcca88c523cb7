import { call, evaluate } from './evaluate.js'

const OK = { behavior: 'OK', behaviorClose: 'OK' }
const CASES = {
  '6.4.1': { behavior: 'NON-STRICT', behaviorClose: 'OK' },
  '10.1.1': { behavior: 'OK', behaviorClose: 'UNCLEAN' },
  '9.3.1': { behavior: 'FAILED', behaviorClose: 'FAILED' },
  '1.1.1': OK,
}
const HEAD = {
  version: '1.0.0',
  suite: 'autobahntestsuite 25.10.1',
  node: '20.1.0',
  zlib: '1.3.1',
  date: '2026-11-21',
}
const OWN = {
  contender: 'hawser',
  ...HEAD,
  roles: {
    server: { seconds: 61.4, cases: { '1.1.1': OK } },
    client: { seconds: 5, cases: { '1.1.1': OK } },
  },
}
const OTHER = {
  contender: 'ws',
  ...HEAD,
  version: '8.23.0',
  roles: { server: { seconds: 600, cases: CASES } },
}

describe('the summary', () => {
  test('counts behaviours, also an unknown one', () => {
    expect(call('report.mjs', 'countBehaviors', { ...CASES, '2.1': { behavior: 'SPLENDID' } })).toEqual({
      OK: 2,
      INFORMATIONAL: 0,
      'NON-STRICT': 1,
      UNIMPLEMENTED: 0,
      FAILED: 1,
      SPLENDID: 1,
    })
  })

  test('shows counts, time and every case that is not OK on a terminal', () => {
    expect(call('report.mjs', 'formatSummary', OTHER)).toBe(
      [
        'ws server: 2 OK, 1 NON-STRICT, 1 FAILED (10:00)',
        '  6.4.1 NON-STRICT, close OK',
        '  9.3.1 FAILED',
        '  10.1.1 OK, close UNCLEAN',
      ].join('\n'),
    )
  })

  test('puts RESULTS.md beside the other contender', () => {
    expect(call('report.mjs', 'formatMarkdown', OWN, OTHER)).toBe(
      [
        '# Autobahn results',
        '',
        'Written by `npm run autobahn` after each complete run; do not edit. How to read and repeat it: README.md here.',
        '',
        '| | role | cases | OK | INFORMATIONAL | NON-STRICT | UNIMPLEMENTED | FAILED | time |',
        '|---|---|---:|---:|---:|---:|---:|---:|---:|',
        '| hawser | server | 1 | 1 | 0 | 0 | 0 | 0 | 1:01 |',
        '| hawser | client | 1 | 1 | 0 | 0 | 0 | 0 | 0:05 |',
        '| ws | server | 4 | 2 | 0 | 1 | 0 | 1 | 10:00 |',
        '',
        '- hawser 1.0.0, autobahntestsuite 25.10.1, Node 20.1.0, zlib 1.3.1, 2026-11-21',
        '- ws 8.23.0, autobahntestsuite 25.10.1, Node 20.1.0, zlib 1.3.1, 2026-11-21',
        '',
        '## Not OK: hawser',
        '',
        'None.',
        '',
        '## Not OK: ws',
        '',
        '- 6.4.1 (server: NON-STRICT, close OK)',
        '- 9.3.1 (server: FAILED)',
        '- 10.1.1 (server: OK, close UNCLEAN)',
        '',
      ].join('\n'),
    )
    expect(call('report.mjs', 'formatMarkdown', OWN, null)).not.toContain('| ws |')
  })

  test('has records that can be written and read', () => {
    const text = call('store.mjs', 'formatRecord', OTHER) as string
    expect(JSON.parse(text)).toEqual(OTHER)
    expect(text).toContain('\n        "9.3.1": { "behavior": "FAILED", "behaviorClose": "FAILED" },\n')
  })
})

describe('progress', () => {
  const BODY = `
    let now = 0
    const written = []
    const out = { isTTY: input.isTTY, write: (text) => written.push(text) }
    const progress = new subject.Progress(out, () => now)
    for (const [at, role, done] of input.updates) {
      now = at * 1000
      progress.update(role, done, 200)
    }
    progress.close()
    return written`

  test('prints a line at each 5 %, never two within 10 s and at least one in 60 s, without a terminal', () => {
    const updates = [
      [1, 'server', 0],
      [1, 'client', 0],
      [5, 'server', 50],
      [10, 'client', 10],
      [15, 'server', 60],
      [21, 'server', 61],
      [40, 'server', 62],
      [81, 'server', 63],
    ]
    expect(evaluate('progress.mjs', BODY, { isTTY: false, updates })).toEqual([
      'autobahn: server 50/200, client 10/200 cases done, 0:10\n',
      'autobahn: server 61/200, client 10/200 cases done, 0:21\n',
      'autobahn: server 63/200, client 10/200 cases done, 1:21\n',
    ])
  })

  test('rewrites one line on a terminal', () => {
    const updates = [
      [0, 'client', 0],
      [1, 'client', 1],
    ]
    expect(evaluate('progress.mjs', BODY, { isTTY: true, updates })).toEqual([
      '\rautobahn: client 0/200 cases done, 0:00\u001b[K',
      '\rautobahn: client 1/200 cases done, 0:01\u001b[K',
      '\n',
    ])
  })
})
