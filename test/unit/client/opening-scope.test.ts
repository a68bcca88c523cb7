import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientSocket } from '../../../src/index.js'
import { OpeningScope } from '../../../src/client/opening-scope.js'

const connection = (url: string): ClientSocket => ({ url }) as ClientSocket
const [one, two] = [{}, {}]

describe('OpeningScope', () => {
  it('finds the connection for what runs in it, also after an await, and for nobody else', async () => {
    const scope = new OpeningScope(one, connection('ws://one/'))
    const seen: unknown[] = []
    const running = scope.run(async () => {
      seen.push(OpeningScope.connectionOf(one)?.url)
      await sleep(5)
      seen.push(OpeningScope.connectionOf(one)?.url, OpeningScope.connectionOf(two))
    })
    expect(OpeningScope.connectionOf(one)).toBeNull()
    await running
    scope.end()
    expect(seen).toEqual(['ws://one/', 'ws://one/', null])
  })

  it('finds the scope of one client in that of another, until it ends', async () => {
    const outer = new OpeningScope(one, connection('ws://one/'))
    await outer.run(async () => {
      const inner = new OpeningScope(two, connection('ws://two/'))
      await inner.run(async () => {
        await sleep(1)
        expect(OpeningScope.connectionOf(one)?.url).toBe('ws://one/')
        expect(OpeningScope.connectionOf(two)?.url).toBe('ws://two/')
        inner.end()
        expect(OpeningScope.connectionOf(two)).toBeNull()
      })
    })
    outer.end()
  })

  it('counts what an onOpen that is done started, such as a timer, among the others', async () => {
    const scope = new OpeningScope(one, connection('ws://one/'))
    const later = scope.run(() => sleep(10).then(() => OpeningScope.connectionOf(one)))
    scope.end()
    scope.end()
    const next = new OpeningScope(one, connection('ws://next/'))
    expect(await later).toBeNull()
    expect(next.run(() => OpeningScope.connectionOf(one)?.url)).toBe('ws://next/')
    next.end()
  })
})
