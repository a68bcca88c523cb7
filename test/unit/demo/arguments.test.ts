import { HELP, helpFor, readArguments } from '../../../demo/arguments.js'
import { CONNECT_HELP } from '../../../demo/connect/connect-arguments.js'
import { UsageError } from '../../../demo/flags.js'
import { SERVE_HELP } from '../../../demo/serve-arguments.js'

const serve = { kind: 'serve', host: 'localhost', port: 8080, origins: [], isEcho: false }

describe('the command line', () => {
  test.each<readonly [readonly string[], object]>([
    [[], serve],
    [['--port', '0'], { ...serve, port: 0 }],
    [['--port=65535'], { ...serve, port: 65535 }],
    [['-p', '9000'], { ...serve, port: 9000 }],
    [['--port', '1', '--port', '2'], { ...serve, port: 2 }],
    [['--host', '0.0.0.0'], { ...serve, host: '0.0.0.0' }],
    [['--host', '[::1]'], { ...serve, host: '::1' }],
    [['--host', 'fe80::1%eth0'], { ...serve, host: 'fe80::1%eth0' }],
    [
      ['--origin', 'https://a.example', '--origin', 'HTTP://b.example:81'],
      { ...serve, origins: ['https://a.example', 'http://b.example:81'] },
    ],
    [['--help'], { kind: 'help', text: HELP }],
    [['-h', '--port', '1'], { kind: 'help', text: HELP }],
    [['help'], { kind: 'help', text: HELP }],
    [['--'], serve],
    [['serve'], serve],
    [['serve', '--echo', '-p', '0'], { ...serve, port: 0, isEcho: true }],
    [['--echo'], { ...serve, isEcho: true }],
    [['serve', '--help'], { kind: 'help', text: SERVE_HELP }],
    [['connect', '--help'], { kind: 'help', text: CONNECT_HELP }],
    [['--version'], { kind: 'version' }],
    [['-V'], { kind: 'version' }],
  ])('is read from the arguments %j', (argv, expected) => {
    expect(readArguments(argv)).toEqual(expected)
  })

  test.each<readonly [readonly string[], string]>([
    [['--wat'], 'unknown flag --wat'],
    [['-x'], 'unknown flag -x'],
    [['--__proto__'], 'unknown flag --__proto__'],
    [['start'], 'unknown command "start": there are connect and serve'],
    [['ws://ada:secret@host/'], 'unknown command: there are connect and serve'],
    [['serve', 'connect'], 'unexpected argument "connect"'],
    [['serve', '--once'], 'unknown flag --once'],
    [['--echo=yes'], '--echo takes no value'],
    [['--', '--port'], 'unexpected argument "--port"'],
    [['--help=yes'], '--help takes no value'],
    [['--port'], '--port needs a value'],
    [['-p', ''], '-p needs a value'],
    [['--port', 'abc'], '--port must be a whole number from 0 to 65535, not "abc"'],
    [['--port', '99999'], '--port must be a whole number from 0 to 65535, not "99999"'],
    [['--port', '65536'], '--port must be a whole number from 0 to 65535, not "65536"'],
    [['--port=-1'], '--port must be a whole number from 0 to 65535, not "-1"'],
    [['--port', '8080.5'], '--port must be a whole number from 0 to 65535, not "8080.5"'],
    [['--port', '0x50'], '--port must be a whole number from 0 to 65535, not "0x50"'],
    [['--port', '--help'], '--port must be a whole number from 0 to 65535, not "--help"'],
    [['--host='], '--host needs a value'],
    [
      ['--host', 'http://localhost'],
      '--host must be a name or an IP address such as 127.0.0.1, not "http://localhost"',
    ],
    [
      ['--origin', 'https://a.example/page'],
      '--origin must be a scheme and a host without a path, such as https://app.example, not "https://a.example/page"',
    ],
    [
      ['--origin', 'a.example'],
      '--origin must be a scheme and a host without a path, such as https://app.example, not "a.example"',
    ],
    [
      ['--origin', 'null'],
      '--origin must be a scheme and a host without a path, such as https://app.example, not "null"',
    ],
  ])('%j is refused in one line', (argv, message) => {
    expect(() => readArguments(argv)).toThrow(new UsageError(message))
  })

  test('has a help that holds that of both commands, within 80 columns', () => {
    expect(HELP).toContain(CONNECT_HELP)
    expect(HELP).toContain(SERVE_HELP)
    expect(HELP.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test('has every flag of serve in its help', () => {
    for (const flag of ['--host', '--port', '-p', '--origin', '--echo', '--help', '-h']) {
      expect(SERVE_HELP).toContain(flag)
    }
  })

  test.each([
    [['connect', '--wat'], 'hawser connect --help'],
    [['serve', '--wat'], 'hawser serve --help'],
    [['--wat'], 'hawser --help'],
    [['start'], 'hawser --help'],
  ])('points a wrong one, %j, to the flags of its command', (argv, help) => {
    expect(helpFor(argv)).toBe(help)
  })
})
