/** Nothing that this machine times by itself depends on the time of day, which an administrator or NTP may set at any moment. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Where the time of day is asked for, and why it is right there. */
const TIME_OF_DAY: Readonly<Record<string, string>> = {
  'src/backplane/envelope.ts': 'a claim that another process made is compared with the time here',
  'src/brokers/nats-history.ts': 'JetStream keeps the time of day at which it stored a message',
  'src/brokers/redis-names.ts': 'a claim that another process made is compared with the time here',
  'src/client/clock.ts': 'a server may answer with a date in Retry-After',
  'src/hub/names.ts': 'a claim is compared with those of other processes',
}

const ASKS = /\bDate\.now\b|\bnew Date\b|\bDate\(\)|\bhrtime\b|\bTemporal\b|\btimeOrigin\b/

const root = path.join(__dirname, '../..')
const uncommented = (text: string): string => text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')

it('the source asks for the time of day only where it is compared with that of another machine', () => {
  const files = ['src', 'packages/ws/src'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name.replaceAll(path.sep, '/')}`),
  )
  const asking = files.filter((file) => ASKS.test(uncommented(readFileSync(path.join(root, file), 'utf8'))))
  expect(files.length).toBeGreaterThan(200)
  expect(asking.sort()).toEqual(Object.keys(TIME_OF_DAY).sort())
})
