import { HeaderFields } from '../../../src/handshake/header-fields.js'

describe('RFC 9110 5: header fields', () => {
  const fields = HeaderFields.fromRawHeaders(['Host', 'a', 'Cookie', 'x=1', 'COOKIE', 'y=2', 'x-empty', ''])

  it('are found by name in any case', () => {
    expect(fields.get('host')).toBe('a')
    expect(fields.get('HOST')).toBe('a')
    expect(fields.has('hOsT')).toBe(true)
    expect(fields.has('x-empty')).toBe(true)
    expect(fields.get('X-Empty')).toBe('')
  })

  it('with one name are joined by get and listed by getAll', () => {
    expect(fields.get('cookie')).toBe('x=1, y=2')
    expect(fields.getAll('Cookie')).toEqual(['x=1', 'y=2'])
  })

  it('are counted by name, with duplicates', () => {
    expect(['host', 'cookie', 'COOKIE', 'X-EMPTY', 'x-none'].map((name) => fields.count(name))).toEqual([
      1, 2, 2, 1, 0,
    ])
  })

  it('are listed by entries, which builds its list once', () => {
    expect(fields.entries()).toBe(fields.entries())
    expect(HeaderFields.fromRawHeaders([]).entries()).toEqual([])
  })

  it('are iterable, as their entries are', () => {
    expect([...fields]).toEqual(fields.entries())
    expect(new Map(HeaderFields.fromRawHeaders(['A', '1'])).get('A')).toBe('1')
  })

  it('are undefined, empty or 0 if they are missing', () => {
    expect(fields.get('x-none')).toBeUndefined()
    expect(fields.getAll('x-none')).toEqual([])
    expect(fields.has('x-none')).toBe(false)
  })

  it('keep order, case and duplicates', () => {
    expect(fields.size).toBe(4)
    expect(fields.entries()).toEqual([
      ['Host', 'a'],
      ['Cookie', 'x=1'],
      ['COOKIE', 'y=2'],
      ['x-empty', ''],
    ])
  })

  it('give no name a special meaning', () => {
    const odd = HeaderFields.fromRawHeaders(['__proto__', 'a', 'constructor', 'b'])
    expect(odd.get('__proto__')).toBe('a')
    expect(odd.get('constructor')).toBe('b')
    expect(odd.get('toString')).toBeUndefined()
    expect(odd.getAll('hasOwnProperty')).toEqual([])
  })

  it('are not found by letters that only look alike', () => {
    const odd = HeaderFields.fromRawHeaders(['Sec-WebSoc\u212aet-Key', 'a'])
    expect(odd.has('sec-websocket-key')).toBe(false)
    expect(odd.entries()).toEqual([['Sec-WebSoc\u212aet-Key', 'a']])
  })

  it.each([
    [['a'], 'undefined for "a"'],
    [['a', 'b', 'c'], 'undefined for "c"'],
    [[1, 'a'], '"a" for 1'],
    [['a', 1], '1 for "a"'],
  ])('throw if names and values do not alternate: %j', (raw, flaw) => {
    expect(() => HeaderFields.fromRawHeaders(raw as string[])).toThrow(
      new TypeError(`rawHeaders must alternate names and values, not ${flaw}`),
    )
  })
})
