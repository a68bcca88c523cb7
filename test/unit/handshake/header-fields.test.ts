import { HeaderFields } from '../../../src/handshake/header-fields.js'

describe('RFC 9110 5: header fields', () => {
  const fields = HeaderFields.fromRawHeaders(['Host', 'a', 'Cookie', 'x=1', 'COOKIE', 'y=2', 'x-empty', ''])

  it('are found whatever the case of their name', () => {
    expect(fields.get('host')).toBe('a')
    expect(fields.get('HOST')).toBe('a')
    expect(fields.has('hOsT')).toBe(true)
    expect(fields.has('x-empty')).toBe(true)
    expect(fields.get('X-Empty')).toBe('')
  })

  it('of one name are joined, or given one by one', () => {
    expect(fields.get('cookie')).toBe('x=1, y=2')
    expect(fields.getAll('Cookie')).toEqual(['x=1', 'y=2'])
  })

  it('are counted by name, doubles and all', () => {
    expect(['host', 'cookie', 'COOKIE', 'X-EMPTY', 'x-none'].map((name) => fields.count(name))).toEqual([
      1, 2, 2, 1, 0,
    ])
  })

  it('are listed once, when they are asked for', () => {
    expect(fields.entries()).toBe(fields.entries())
    expect(HeaderFields.fromRawHeaders([]).entries()).toEqual([])
  })

  it('that are not there', () => {
    expect(fields.get('x-none')).toBeUndefined()
    expect(fields.getAll('x-none')).toEqual([])
    expect(fields.has('x-none')).toBe(false)
  })

  it('keep order, case and doubles', () => {
    expect(fields.size).toBe(4)
    expect(fields.entries()).toEqual([
      ['Host', 'a'],
      ['Cookie', 'x=1'],
      ['COOKIE', 'y=2'],
      ['x-empty', ''],
    ])
  })

  it('give a name no meaning', () => {
    const odd = HeaderFields.fromRawHeaders(['__proto__', 'a', 'constructor', 'b'])
    expect(odd.get('__proto__')).toBe('a')
    expect(odd.get('constructor')).toBe('b')
    expect(odd.get('toString')).toBeUndefined()
    expect(odd.getAll('hasOwnProperty')).toEqual([])
  })

  it('are not found under letters that only look alike', () => {
    const odd = HeaderFields.fromRawHeaders(['Sec-WebSoc\u212aet-Key', 'a'])
    expect(odd.has('sec-websocket-key')).toBe(false)
    expect(odd.entries()).toEqual([['Sec-WebSoc\u212aet-Key', 'a']])
  })

  it.each([[['a']], [['a', 'b', 'c']], [[1, 'a']], [['a', 1]]])(
    'need names and values in turn: %j',
    (raw) => {
      expect(() => HeaderFields.fromRawHeaders(raw as string[])).toThrow(TypeError)
    },
  )
})
