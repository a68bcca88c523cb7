import { readFileSync } from 'node:fs'
import path from 'node:path'
import { CONNECT_HELP, readConnectArguments } from '../../../../demo/connect/connect-arguments.js'
import { EXIT, EXIT_MEANINGS } from '../../../../demo/connect/exit-codes.js'
import { UsageError } from '../../../../demo/flags.js'

const URL = 'ws://localhost:8080/echo'
const plain = {
  kind: 'connect',
  url: URL,
  headers: [],
  protocols: [],
  origin: undefined,
  tls: { ca: [], cert: undefined, key: undefined, isInsecure: false },
  timeoutMs: undefined,
  usesCompression: true,
  proxy: undefined,
  redirects: 0,
  pingIntervalMs: null,
  indentsJson: null,
  binary: null,
  isNullSeparated: false,
  waitMs: null,
  count: null,
  reconnects: false,
  showsFrames: false,
  isVerbose: false,
}

describe('the command line of connect', () => {
  test.each<readonly [readonly string[], object]>([
    [[URL], plain],
    [['--', URL], plain],
    [['-v', URL], { ...plain, isVerbose: true }],
    [
      [URL, '-H', 'Cookie: a=1; b=2', '--header', 'x-empty:', '-HX-Colon: a:b '],
      {
        ...plain,
        headers: [
          ['Cookie', 'a=1; b=2'],
          ['x-empty', ''],
          ['X-Colon', 'a:b'],
        ],
      },
    ],
    [[URL, '-s', 'chat', '--subprotocol', 'mqtt'], { ...plain, protocols: ['chat', 'mqtt'] }],
    [[URL, '--origin', 'HTTPS://a.example'], { ...plain, origin: 'https://a.example' }],
    [[URL, '--timeout', '2.5'], { ...plain, timeoutMs: 2500 }],
    [[URL, '--no-compression'], { ...plain, usesCompression: false }],
    [[URL, '--proxy', 'http://proxy.example:3128'], { ...plain, proxy: 'http://proxy.example:3128' }],
    [[URL, '--proxy', 'env', '--redirects', '20'], { ...plain, proxy: 'env', redirects: 20 }],
    [[URL, '--ping-interval', '30'], { ...plain, pingIntervalMs: 30_000 }],
    [[URL, '--reconnect'], { ...plain, reconnects: true }],
    [[URL, '--frames'], { ...plain, showsFrames: true }],
    [[URL, '--json'], { ...plain, indentsJson: true }],
    [[URL, '--json', '--no-json'], { ...plain, indentsJson: false }],
    [[URL, '--binary', 'base64', '-0'], { ...plain, binary: 'base64', isNullSeparated: true }],
    [[URL, '--wait', '0'], { ...plain, waitMs: 0 }],
    [[URL, '--wait', 'forever'], { ...plain, waitMs: Infinity }],
    [[URL, '-n', '3'], { ...plain, count: 3 }],
    [[URL, '--once'], { ...plain, count: 1 }],
    [
      ['wss://localhost', '--ca', 'a.pem', '--ca', 'b.pem', '--cert', 'c.pem', '--key', 'k.pem', '-k'],
      {
        ...plain,
        url: 'wss://localhost',
        tls: { ca: ['a.pem', 'b.pem'], cert: 'c.pem', key: 'k.pem', isInsecure: true },
      },
    ],
  ])('is read from the arguments %j', (argv, expected) => {
    expect(readConnectArguments(argv)).toEqual(expected)
  })

  test('a request for help needs no URL', () => {
    expect(readConnectArguments(['--help'])).toBeNull()
    expect(readConnectArguments([URL, '-h', '--once'])).toBeNull()
  })

  test.each<readonly [readonly string[], string]>([
    [[], 'connect needs a URL, such as ws://localhost:8080/echo'],
    [[URL, 'Bearer', 'secret'], 'unexpected argument: there is one URL, and blanks need quotes'],
    [[URL, '--wat'], 'unknown flag --wat'],
    [[URL, '--once=1'], '--once takes no value'],
    [[URL, '-H'], '-H needs a value'],
    [
      [URL, '-H', 'Cookie'],
      `--header must be 'Name: value', such as 'Cookie: id=1', and this one does not begin with a name and a colon`,
    ],
    [
      [URL, '-H', 'a b: c'],
      `--header must be 'Name: value', such as 'Cookie: id=1', and this one does not begin with a name and a colon`,
    ],
    [
      [URL, '-H', 'a: b\r\nc: d'],
      `--header must be 'Name: value', such as 'Cookie: id=1', and this one holds a line break or NUL`,
    ],
    [
      [URL, '--origin', 'https://ada:sec/ret@a.example'],
      '--origin must be a scheme and a host without a path, such as https://app.example, not a URL with a user',
    ],
    [
      [URL, '--origin', 'a.example'],
      '--origin must be a scheme and a host without a path, such as https://app.example, not "a.example"',
    ],
    [[URL, '--timeout', '0'], '--timeout must be seconds from 0.001 to 1000000, such as 2.5, not "0"'],
    [[URL, '--timeout', '1e3'], '--timeout must be seconds from 0.001 to 1000000, such as 2.5, not "1e3"'],
    [[URL, '--wait', '-1'], '--wait must be seconds from 0 to 1000000, such as 2.5, not "-1"'],
    [[URL, '--wait', '1000001'], '--wait must be seconds from 0 to 1000000, such as 2.5, not "1000001"'],
    [
      [URL, '--ping-interval', '0.01'],
      '--ping-interval must be seconds from 0.1 to 1000000, such as 2.5, not "0.01"',
    ],
    [[URL, '--binary', 'octal'], '--binary must be hex, base64, file, text, not "octal"'],
    [[URL, '-n', '0'], '--count must be a whole number from 1 to 1000000000, not "0"'],
    [[URL, '--redirects', '21'], '--redirects must be a whole number from 0 to 20, not "21"'],
    [[URL, '--frames', '--proxy', 'env'], '--frames and --proxy exclude each other'],
    [[URL, '--ca', 'a.pem'], '--ca needs a URL with TLS: wss:, https: or wss+unix:'],
    [[URL, '-k'], '--insecure needs a URL with TLS: wss:, https: or wss+unix:'],
    [['wss://localhost', '--key', 'k.pem'], '--key needs --cert'],
  ])('%j is refused in one line', (argv, message) => {
    expect(() => readConnectArguments(argv)).toThrow(new UsageError(message))
  })

  test('the help names every flag and every exit code', () => {
    const flags =
      '--header -H --subprotocol -s --origin --timeout --no-compression --proxy --redirects --ca --cert --key --insecure -k --json --no-json ' +
      '--binary --null -0 --ping-interval --frames --verbose -v --reconnect --wait --count -n --once --help -h'
    for (const flag of flags.split(' ')) expect(CONNECT_HELP).toContain(flag)
    for (const code of Object.values(EXIT)) expect(CONNECT_HELP).toMatch(new RegExp(`^  ${code} `, 'm'))
  })

  test('docs/command.md has every flag, and the exit codes in the words of the help', () => {
    const page = readFileSync(path.join(__dirname, '../../../../docs/command.md'), 'utf8')
    const flags = new Set(CONNECT_HELP.match(/--[a-z-]+/g))
    for (const flag of flags) expect(page).toContain(flag)
    const rows = [...page.matchAll(/^\| (\d) +\| (.*?) +\|$/gm)].map((row) => [Number(row[1]), row[2]])
    expect(rows).toEqual(EXIT_MEANINGS)
  })
})
