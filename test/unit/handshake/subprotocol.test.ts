import { checkProtocols, chooseProtocol, parseProtocolHeader } from '../../../src/handshake/subprotocol.js'

describe('RFC 6455 11.3.4: Sec-WebSocket-Protocol', () => {
  it.each([
    ['chat', ['chat']],
    ['chat, superchat', ['chat', 'superchat']],
    ['\tb ,a,c ', ['b', 'a', 'c']],
    ['chat, Chat', ['chat', 'Chat']],
    [',chat,, ,x,', ['chat', 'x']],
    ['__proto__, constructor', ['__proto__', 'constructor']],
  ])('reads %j', (value, names) => {
    expect(parseProtocolHeader(value)).toEqual(names)
  })

  it.each(['', ' ', ',', ', ,', 'a b', 'a;b', '"chat"', 'chat, chat', 'a, b, a', 'é', 'a/b', 'a\0'])(
    'returns null for the malformed value %j',
    (value) => {
      expect(parseProtocolHeader(value)).toBeNull()
    },
  )
})

describe('checkProtocols', () => {
  it('returns a copy of the names', () => {
    const given = ['a', 'b']
    const checked = checkProtocols(given)
    expect(checked).toEqual(['a', 'b'])
    expect(checked).not.toBe(given)
    expect(checkProtocols([])).toEqual([])
  })

  it.each([
    ['chat', 'protocols must be an array of names, not "chat"'],
    [undefined, 'protocols must be an array of names, not undefined'],
    [[1], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is a number'],
    [[''], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is an empty text'],
    [
      ['a\r\nX: y'],
      'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+000D at offset 1',
    ],
    [['a', 'b', 'a'], 'protocols must hold each name once, and protocols[2] repeats one'],
  ])('refuses %j', (given, message) => {
    expect(() => checkProtocols(given as string[])).toThrow(new TypeError(message))
  })
})

describe('RFC 6455 4.2.2: the choice of a subprotocol', () => {
  it("is the first name of the client's list that the server supports", () => {
    expect(chooseProtocol(['x', 'b', 'a'], ['a', 'b'])).toBe('b')
  })

  it('is case-sensitive, and may be undefined', () => {
    expect(chooseProtocol(['Chat'], ['chat'])).toBeUndefined()
    expect(chooseProtocol([], ['chat'])).toBeUndefined()
    expect(chooseProtocol(['chat'], [])).toBeUndefined()
  })
})
