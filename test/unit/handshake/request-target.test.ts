import { isOriginForm, parseTarget } from '../../../src/handshake/request-target.js'

describe('RFC 9112 3.2: request targets', () => {
  it.each([
    ['/', '/', ''],
    ['/chat', '/chat', ''],
    ['/chat?', '/chat', '?'],
    ['/chat?a=1?b', '/chat', '?a=1?b'],
    ['/?/x', '/', '?/x'],
    ['//double', '//double', ''],
    ['/%00%zz', '/%00%zz', ''],
    ['/a|b^c`{}\\', '/a|b^c`{}\\', ''],
  ])('are kept in the origin-form %s', (target, path, search) => {
    expect(parseTarget(target)).toEqual({ target, path, search })
  })

  it.each([
    ['http://example.com/chat?x=1', '/chat?x=1'],
    ['https://example.com:8443/', '/'],
    ['ws://example.com', '/'],
    ['WSS://[::1]:9/a', '/a'],
    ['Http://example.com?x', '/?x'],
    ['http://a/http://b/', '/http://b/'],
  ])('are reduced from the absolute-form %s', (absolute, target) => {
    expect(parseTarget(absolute)?.target).toBe(target)
  })

  it.each([
    '',
    '*',
    'example.com:443',
    'localhost',
    'chat',
    '?x',
    'ftp://example.com/',
    'file:///etc/passwd',
    '://example.com/',
    'http:/example.com/',
    'http:///chat',
    'http://',
    'http://user@example.com/',
    'http://user:secret@example.com/',
    'http://example.com:x/',
    'http://example.com/#fragment',
    'http://example.com#fragment',
    'http://exa mple.com/',
    '/chat#fragment',
    '/a b',
    '/a\tb',
    '/a\r\nX: y',
    '/é',
    '/\x7f',
  ])('are refused in the form %j', (target) => {
    expect(parseTarget(target)).toBeNull()
  })

  it('are recognised by isOriginForm', () => {
    expect(isOriginForm('/a?b')).toBe(true)
    expect(isOriginForm('a')).toBe(false)
    expect(isOriginForm('/#')).toBe(false)
  })
})
