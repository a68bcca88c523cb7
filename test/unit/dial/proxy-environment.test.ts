import { isExempt, proxyFromEnvironment } from '../../../src/dial/proxy-environment.js'
import { parseTarget } from '../../../src/dial/websocket-url.js'

const find = (url: string, environment: Record<string, string>): string | undefined =>
  proxyFromEnvironment(parseTarget(url), environment)?.value

describe('the proxy of the environment', () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ['ws://a/', {}, undefined],
    ['ws://a/', { HTTP_PROXY: 'p', HTTPS_PROXY: 's' }, 'p'],
    ['wss://a/', { HTTP_PROXY: 'p', HTTPS_PROXY: 's' }, 's'],
    ['ws://a/', { http_proxy: 'q', HTTP_PROXY: 'p' }, 'q'],
    ['wss://a/', { https_proxy: 't', HTTPS_PROXY: 's' }, 't'],
    ['ws://a/', { http_proxy: '', HTTP_PROXY: 'p' }, 'p'],
    ['ws://a/', { ALL_PROXY: 'a' }, 'a'],
    ['wss://a/', { all_proxy: 'b', ALL_PROXY: 'a' }, 'b'],
    ['wss://a/', { HTTP_PROXY: 'p' }, undefined],
    // A CGI program: a client sets HTTP_PROXY by the header Proxy.
    ['ws://a/', { REQUEST_METHOD: 'GET', HTTP_PROXY: 'p' }, undefined],
    ['ws://a/', { REQUEST_METHOD: 'GET', http_proxy: 'q' }, 'q'],
    ['wss://a/', { REQUEST_METHOD: 'GET', HTTPS_PROXY: 's' }, 's'],
    ['ws://a/', { HTTP_PROXY: 'p', NO_PROXY: 'a' }, undefined],
    ['ws://a/', { HTTP_PROXY: 'p', NO_PROXY: 'a', no_proxy: 'b' }, 'p'],
    ['ws://a/', { HTTP_PROXY: 'p', NO_PROXY: 'a', no_proxy: '' }, undefined],
    ['ws+unix:/run/app.sock:/', { HTTP_PROXY: 'p', ALL_PROXY: 'p' }, undefined],
  ])('of %s in %j is %p', (url, environment, expected) => {
    expect(find(url, environment)).toBe(expected)
  })

  // Compared with curl 7.88, which has no ports here, knows an IPv6 address in its own writing alone, and reads 24/1 as 24.
  it.each<[string, string, boolean]>([
    ['ws://example.com/', '', false],
    ['ws://example.com/', 'example.com', true],
    ['ws://www.example.com/', 'example.com', true],
    ['ws://nonexample.com/', 'example.com', false],
    ['ws://example.com/', 'www.example.com', false],
    ['ws://example.com/', '.example.com', true],
    ['ws://www.example.com/', '.example.com', true],
    ['ws://example.com./', 'example.com', true],
    ['ws://example.com/', 'example.com.', true],
    ['ws://EXAMPLE.com/', 'Example.COM', true],
    ['ws://example.com/', 'a, b,example.com', true],
    ['ws://example.com/', ' ,,a , example.com', true],
    ['ws://example.com/', '.', false],
    ['ws://example.com/', '*', true],
    ['ws://[::1]/', '*', true],
    ['ws://example.com/', 'a,*', false],
    ['ws://example.com/', '*.example.com', false],
    ['ws://localhost/', '127.0.0.1', false],
    ['ws://192.0.2.1/', '192.0.2.1', true],
    ['ws://192.0.2.1/', '2.1', false],
    ['ws://192.0.2.1/', '192.0.2.0/24', true],
    ['ws://192.0.3.1/', '192.0.2.0/24', false],
    ['ws://192.0.2.1/', '192.0.2.1/32', true],
    ['ws://192.0.2.1/', '192.0.2.0/33', false],
    ['ws://192.0.2.1/', '192.0.2.0/x', false],
    ['ws://192.0.2.1/', '192.0.2.0/24/1', false],
    ['ws://192.0.2.1/', '::/0', false],
    ['ws://[2001:db8::1]/', '2001:db8::1', true],
    ['ws://[2001:db8::1]/', '2001:db8:0::0:1', true],
    ['ws://[2001:db8::1]/', '2001:db8::/32', true],
    ['ws://[2001:db9::1]/', '2001:db8::/32', false],
    ['ws://[2001:db8::1]/', '[2001:db8::1]', true],
    ['ws://example.com:8080/', 'example.com:8080', true],
    ['ws://example.com/', 'example.com:8080', false],
    ['ws://example.com/', '.example.com:80', true],
    ['wss://example.com/', 'example.com:443', true],
    ['ws://[::1]:81/', '[::1]:81', true],
    ['ws://[::1]:82/', '[::1]:81', false],
    ['ws://example.com/', 'example.com:x', false],
  ])('is not used for %s with NO_PROXY %j: %p', (url, noProxy, expected) => {
    expect(isExempt(parseTarget(url), noProxy)).toBe(expected)
  })
})
