/** What the soak counts in a snapshot of the heap, with real snapshots of another process. */
import { evaluate } from './evaluate.js'

const KIB = 1024

/** Differences of two snapshots, in bytes; the code runs between them, and what it puts into `kept` stays. */
const difference = (code: string): { objects: number; compiled: number } =>
  evaluate(
    'heap-snapshot.mjs',
    `
    const { writeHeapSnapshot } = await import('node:v8')
    const { mkdtempSync, rmSync } = await import('node:fs')
    const path = await import('node:path')
    const folder = mkdtempSync(path.join((await import('node:os')).tmpdir(), 'hawser-heap-'))
    const look = () => subject.readSnapshotFile(writeHeapSnapshot(path.join(folder, 'heap.heapsnapshot')))
    globalThis.kept = []
    look()
    const before = look()
    ${code}
    const after = look()
    rmSync(folder, { recursive: true })
    return { objects: after.objects - before.objects, compiled: after.compiled - before.compiled }
    `,
  ) as { objects: number; compiled: number }

test.each([
  ['objects', 'for (let i = 0; i < 5000; i++) kept.push({ i, at: i / 3 })', 5000 * 20],
  ['closures', 'for (let i = 0; i < 5000; i++) kept.push(() => i)', 5000 * 32],
  ['strings', 'for (let i = 0; i < 5000; i++) kept.push("text ".repeat(10) + i)', 5000 * 20],
  [
    'entries of maps',
    'const map = new Map(); kept.push(map); for (let i = 0; i < 5000; i++) map.set(i, i)',
    5000 * 24,
  ],
])(
  '%s that are kept count as objects',
  (_what, code, least) => {
    const { objects } = difference(code)
    expect(objects).toBeGreaterThan(least)
    expect(objects).toBeLessThan(20 * least)
  },
  60_000,
)

test('what is not kept does not count', () => {
  const { objects } = difference('for (let i = 0; i < 5000; i++) ({ i, at: [i / 3] })')
  expect(Math.abs(objects)).toBeLessThan(32 * KIB)
}, 60_000)

test('functions that V8 compiles count as such, and not as objects', () => {
  const { objects, compiled } = difference(
    'for (let i = 0; i < 500; i++) { const f = new Function("a", `return a.x${i} + a.y${i} * ${i}`); f({}); kept.push(f) }',
  )
  expect(compiled).toBeGreaterThan(500 * 100)
  expect(compiled).toBeGreaterThan(objects)
}, 60_000)
