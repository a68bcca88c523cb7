import * as handshake from '../../../src/handshake/index.js'

describe('hawser/handshake', () => {
  it('exports exactly the documented names', () => {
    expect(Object.keys(handshake).sort()).toEqual([
      'HandshakeError',
      'HeadScanner',
      'HeaderFields',
      'checkProtocols',
      'chooseProtocol',
      'computeAccept',
      'createKey',
      'formatExtension',
      'formatRejection',
      'formatUpgradeRequest',
      'formatUpgradeResponse',
      'isInterimResponse',
      'isValidKey',
      'parseExtensionHeader',
      'parseProtocolHeader',
      'readUpgradeRequest',
      'verifyUpgradeResponse',
    ])
  })
})
