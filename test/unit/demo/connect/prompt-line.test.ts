import { InputError } from '../../../../demo/connect/binary-formats.js'
import { PingTimes } from '../../../../demo/connect/ping-times.js'
import { PROMPT_HELP, readPromptLine } from '../../../../demo/connect/prompt-line.js'

describe('a line at the prompt', () => {
  test.each([
    ['', { kind: 'nothing' }],
    ['hello', { kind: 'send', data: 'hello' }],
    [' /spaced', { kind: 'send', data: ' /spaced' }],
    ['//path', { kind: 'send', data: '/path' }],
    ['/text', { kind: 'send', data: '' }],
    ['/text  two', { kind: 'send', data: ' two' }],
    ['/ping', { kind: 'ping', text: '' }],
    ['/ping are you there', { kind: 'ping', text: 'are you there' }],
    ['/binary hex 00 ff', { kind: 'send', data: Buffer.from([0, 255]) }],
    ['/binary base64 AP8=', { kind: 'send', data: Buffer.from([0, 255]) }],
    ['/binary text hi', { kind: 'send', data: Buffer.from('hi') }],
    ['/binary text', { kind: 'send', data: Buffer.alloc(0) }],
    ['/close', { kind: 'close', code: 1000, reason: '' }],
    ['/close 4000', { kind: 'close', code: 4000, reason: '' }],
    ['/close 4000  see you ', { kind: 'close', code: 4000, reason: 'see you' }],
    ['/help', { kind: 'help' }],
  ])('%j is a request', async (line, expected) => {
    expect(await readPromptLine(line, null)).toEqual(expected)
  })

  test('is bytes if the command line says so', async () => {
    expect(await readPromptLine('00 ff', 'hex')).toEqual({ kind: 'send', data: Buffer.from([0, 255]) })
    expect(await readPromptLine('//x', 'text')).toEqual({ kind: 'send', data: Buffer.from('/x') })
    expect(await readPromptLine('/text hi', 'hex')).toEqual({ kind: 'send', data: 'hi' })
  })

  test.each([
    ['/nope', 'unknown command /nope: /help lists the commands; // sends a text that begins with a slash'],
    ['/', 'unknown command /: /help lists the commands; // sends a text that begins with a slash'],
    [
      '/binary 00',
      '/binary needs a format, hex, base64, text or file, and then the bytes, as in /binary hex 00 ff',
    ],
    ['/binary hex 0', 'hex must be pairs of hexadecimal digits, such as 00 ff, not "0"'],
    ['/close bye', '/close takes a code of four digits and a reason, as in /close 4000 bye'],
  ])('%j is refused', async (line, message) => {
    await expect(readPromptLine(line, null)).rejects.toThrow(new InputError(message))
  })

  test('has a help that names every command', () => {
    for (const command of ['/ping', '/binary', '/text', '/close', '/help', '//']) {
      expect(PROMPT_HELP).toContain(command)
    }
  })
})

describe('the times of pings', () => {
  test('end with the pong of the same payload, once', () => {
    const times = new PingTimes()
    const [first, second] = [times.start(), times.start('mine')]
    expect([first, second]).toEqual(['hawser 1', 'mine'])
    expect(times.end('mine')).toBeGreaterThanOrEqual(0)
    expect(times.end('mine')).toBeNull()
  })

  test('end together with a later one, as RFC 6455 section 5.5.3 allows', () => {
    const times = new PingTimes()
    const payloads = [times.start(), times.start(), times.start()]
    expect(times.end(payloads[1] as string)).not.toBeNull()
    expect(times.end(payloads[0] as string)).toBeNull()
    expect(times.end(payloads[2] as string)).not.toBeNull()
  })

  test('are not those of pings that nobody asked for', () => {
    expect(new PingTimes().end('')).toBeNull()
  })

  test('are forgotten, the oldest first, if the peer never answers', () => {
    const times = new PingTimes()
    const payloads = Array.from({ length: 65 }, () => times.start())
    expect(times.end(payloads[0] as string)).toBeNull()
    expect(times.end(payloads[1] as string)).not.toBeNull()
  })
})
