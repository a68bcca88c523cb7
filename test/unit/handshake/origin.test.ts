import { checkOrigins, isOriginAllowed } from '../../../src/handshake/origin.js'

describe('origins (RFC 6455 section 10.2)', () => {
  test('any origin is allowed without a list', () => {
    expect(isOriginAllowed('https://evil.example', undefined)).toBe(true)
    expect(isOriginAllowed(undefined, undefined)).toBe(true)
  })

  test('strings match without regard to case, expressions match, and functions decide', () => {
    const rules = ['https://App.example', /^https:\/\/[a-z]+\.test$/g, (origin?: string) => origin === 'null']
    for (const origin of ['https://app.example', 'https://APP.example', 'https://a.test', 'null']) {
      // Twice: a RegExp with the flag g remembers where it stood.
      expect(isOriginAllowed(origin, rules)).toBe(true)
      expect(isOriginAllowed(origin, rules)).toBe(true)
    }
    for (const origin of [
      'https://app.example:8443',
      'http://app.example',
      'https://app.example.evil.test',
      '',
    ]) {
      expect(isOriginAllowed(origin, rules)).toBe(false)
    }
  })

  test('a request without Origin is allowed by a function alone', () => {
    expect(isOriginAllowed(undefined, ['https://app.example', /.*/])).toBe(false)
    expect(isOriginAllowed(undefined, [(origin) => origin === undefined])).toBe(true)
    expect(isOriginAllowed('https://app.example', [])).toBe(false)
    const promised = (): boolean => Promise.resolve(false) as unknown as boolean
    expect(() => isOriginAllowed('https://evil.test', [promised])).toThrow(
      /^a function in origins must return true or false, not a promise: decide in onUpgrade instead, which may be async$/,
    )
  })

  test('what counts as false refuses, as `origin && list.includes(origin)` gives it, and other values are an error', () => {
    const falsy = [false, undefined, null, '', 0, Number.NaN].map((answer) => (): never => answer as never)
    expect(falsy.filter((rule) => isOriginAllowed('https://app.example', [rule]))).toEqual([])
    expect(isOriginAllowed('https://app.example', [...falsy, 'https://app.example'])).toBe(true)
    const one = (): boolean => 1 as unknown as boolean
    expect(() => isOriginAllowed('https://app.example', [one])).toThrow(
      new TypeError('a function in origins must return true or false, not 1'),
    )
  })

  test('origins as browsers send them are accepted', () => {
    const rules = [
      'null',
      'http://localhost:8080',
      'https://App.example',
      'chrome-extension://abcdef',
      'http://[::1]:3000',
      'web3://app',
    ]
    expect(checkOrigins(rules)).toEqual(rules)
  })

  test('no list, expressions and functions are accepted, and the list is a copy', () => {
    expect(checkOrigins(undefined)).toBeUndefined()
    const rules = [/^https:/, (): boolean => true]
    expect(checkOrigins(rules)).toEqual(rules)
    expect(checkOrigins(rules)).not.toBe(rules)
  })

  test('the error for a wrong origin shows neither its password nor its query', () => {
    expect(() => checkOrigins(['https://user:hunter2@app.example/?token=s3cret'])).toThrow(
      expect.not.objectContaining({ message: expect.stringMatching(/hunter2|s3cret/) }),
    )
  })

  test.each([
    ['*'],
    ['https://app.example/'],
    ['https://app.example/chat'],
    ['https://app.example:443'],
    ['app.example'],
    ['https://'],
    ['https://app.example:99999'],
    ['http://['],
    ['mailto:a@app.example'],
    ['data:,x'],
    [' web3://app'],
    ['web3://app/path'],
    [{ toString: (): string => 'https://app.example' }],
    [5],
    [null],
  ])('%p is refused', (rule) => {
    expect(() => checkOrigins([rule] as never)).toThrow(/^origins\[0\] must be an origin as browsers send it/)
    expect(() => checkOrigins(rule as never)).toThrow('origins must be an array')
  })
})
