import { parseTarget } from '../../../src/dial/websocket-url.js'

describe('parseTarget (RFC 6455 section 3)', () => {
  test.each([
    [
      'ws://example.com',
      { secure: false, port: 80, host: 'example.com', target: '/', hostname: 'example.com' },
    ],
    ['ws://example.com:80/x', { port: 80, host: 'example.com', target: '/x' }],
    ['ws://example.com:8080/a/b?c=d&e', { port: 8080, host: 'example.com:8080', target: '/a/b?c=d&e' }],
    ['wss://example.com', { secure: true, port: 443, host: 'example.com' }],
    ['wss://example.com:80', { secure: true, port: 80, host: 'example.com:80' }],
    ['http://example.com:443', { secure: false, port: 443, host: 'example.com:443' }],
    ['https://example.com:443/', { secure: true, port: 443, host: 'example.com' }],
    ['ws://[::1]:9000/', { hostname: '::1', host: '[::1]:9000', port: 9000 }],
    ['ws://ex%C3%A4mple.test/ü?ö', { hostname: 'xn--exmple-cua.test', target: '/%C3%BC?%C3%B6' }],
    ['ws+unix:/run/app.sock', { socketPath: '/run/app.sock', target: '/', host: 'localhost', secure: false }],
    ['ws+unix:///run/a%20b.sock:/chat?room=1', { socketPath: '/run/a b.sock', target: '/chat?room=1' }],
    ['wss+unix:/run/app.sock:/a:b', { socketPath: '/run/app.sock', target: '/a:b', secure: true }],
  ])('reads the host, port and path of %s', (url, expected) => {
    expect(parseTarget(url)).toMatchObject(expected)
    expect(parseTarget(new URL(url))).toMatchObject(expected)
  })

  test('turns credentials into basic authentication, and removes them from the href', () => {
    const target = parseTarget('ws://us%40er:p%3Ass@example.com/x')
    expect(target.authorization).toBe(`Basic ${Buffer.from('us@er:p:ss').toString('base64')}`)
    expect(target.href).toBe('ws://example.com/x')
    expect(parseTarget('ws://example.com').authorization).toBeUndefined()
  })

  test.each([
    ['', /url must be an absolute, well-formed URL, not ""/],
    ['/chat', /url must be an absolute, well-formed URL/],
    ['example.com', /url must be an absolute, well-formed URL/],
    ['ftp://example.com', /url must start with ws:, wss:, http:, https:, ws\+unix: or wss\+unix:, not "ftp/],
    ['ws://example.com/#top', /url must have no fragment/],
    ['ws://example.com/#', /url must have no fragment/],
    ['ws://localhost:99999/', /well-formed URL, not "ws:\/\/localhost:99999\/"/],
    ['ws+unix:', /url must name a socket/],
    ['ws+unix://tmp/x', /url must name a socket by its whole path/],
    ['ws://us%3Aer:pw@example.com', /^url must have no colon in the user name [(]RFC 7617 section 2[)]$/],
    ['ws://%zz@example.com', /url must have credentials that are percent-encoded UTF-8/],
  ])('throws a SyntaxError for %p', (url, message) => {
    expect(() => parseTarget(url)).toThrow(SyntaxError)
    expect(() => parseTarget(url)).toThrow(message)
  })

  test.each([undefined, null, 5, {}])('throws a TypeError for %p', (url) => {
    expect(() => parseTarget(url as never)).toThrow(/^url must be a string or a URL, not /)
  })
})
