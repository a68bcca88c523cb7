import { Redirects, type Hop } from '../../../src/dial/redirects.js'
import { parseTarget } from '../../../src/dial/websocket-url.js'
import type { ResponseHead } from '../../../src/handshake/http1.js'
import { HeaderFields } from '../../../src/handshake/header-fields.js'

const head = (location: string): ResponseHead => ({
  status: 302,
  statusText: '',
  httpVersion: '1.1',
  headers: HeaderFields.fromRawHeaders(['Location', location]),
})
const tls = {
  ca: 'ca',
  cert: 'c',
  key: 'k',
  pfx: 'p',
  passphrase: 'w',
  servername: 'a',
  rejectUnauthorized: true,
}
const from = (url: string): Hop => ({ target: parseTarget(url), headers: [['X-A', 'b']], tls })
const next = (url: string, location: string): unknown => new Redirects(3).next(from(url), head(location))

describe('a redirect', () => {
  it("to another origin leaves the client's certificate and the name of the server behind", () => {
    const rest = { tls: { ca: 'ca', rejectUnauthorized: true }, headers: [['X-A', 'b']] }
    for (const location of ['wss://b/', 'https://a:444/', '//b/']) {
      const hop = next('wss://u:p@a/x', location) as Hop
      expect(hop).toMatchObject(rest)
      expect(hop.tls).not.toHaveProperty('key')
      expect(Object.keys(hop.tls ?? {}).sort()).toEqual(['ca', 'rejectUnauthorized'])
      expect(hop.target.authorization).toBeUndefined()
    }
    const same = next('wss://u:p@a/x', 'https://a:443/y') as Hop
    expect(same.tls).toBe(tls)
    expect(same.target).toMatchObject({ href: 'wss://a/y', authorization: 'Basic dTpw' })
  })

  it('on a Unix socket stays there, and may leave it for the network alone', () => {
    const hop = next('ws+unix:/run/a%20b.sock:/x?y', '/z?w=1#top') as Hop
    expect(hop.target).toEqual(parseTarget('ws+unix:/run/a%20b.sock:/z?w=1'))
    expect((next('ws+unix:/run/app.sock:/x', 'ws://b/') as Hop).target).toEqual(parseTarget('ws://b/'))
    expect(next('ws+unix:/run/app.sock:/x', 'ws+unix:/run/other.sock:/x')).toMatchObject({
      code: 'HAWSER_REDIRECT_REFUSED',
    })
  })
})
