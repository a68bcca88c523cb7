import {
  HeadScanner,
  chooseProtocol,
  computeAccept,
  formatUpgradeRequest,
  formatUpgradeResponse,
  isValidKey,
  parseExtensionHeader,
  readUpgradeRequest,
  verifyUpgradeResponse,
  HandshakeError,
} from '../../src/handshake/index.js'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

const CLIENT_HANDSHAKE = [
  'GET /chat HTTP/1.1',
  'Host: server.example.com',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Origin: http://example.com',
  'Sec-WebSocket-Protocol: chat, superchat',
  'Sec-WebSocket-Version: 13',
  '',
  '',
].join('\r\n')

const SERVER_HANDSHAKE = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Sec-WebSocket-Protocol: chat',
  '',
  '',
].join('\r\n')

describe('RFC 6455 1.2 and 1.3: the example handshake', () => {
  it('the key gives the accept', () => {
    expect(computeAccept('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  it("the client's head is read, and answered by the server's, to the byte", () => {
    const scanner = new HeadScanner('request')
    expect(scanner.push(bytes(CLIENT_HANDSHAKE))).toBe('done')
    if (scanner.head === null) throw new Error('no head')
    const request = readUpgradeRequest(scanner.head)
    if (request instanceof HandshakeError) throw request
    expect(request).toMatchObject({
      key: 'dGhlIHNhbXBsZSBub25jZQ==',
      path: '/chat',
      host: 'server.example.com',
      origin: 'http://example.com',
      protocols: ['chat', 'superchat'],
    })
    const protocol = chooseProtocol(request.protocols, ['superchat', 'chat'])
    expect(formatUpgradeResponse(request, { protocol })).toBe(SERVER_HANDSHAKE)
  })

  it("the server's head completes the client's handshake", () => {
    const scanner = new HeadScanner('response')
    expect(scanner.push(bytes(SERVER_HANDSHAKE))).toBe('done')
    if (scanner.head === null) throw new Error('no head')
    const offered = { key: 'dGhlIHNhbXBsZSBub25jZQ==', protocols: ['chat', 'superchat'], extensionNames: [] }
    expect(verifyUpgradeResponse(scanner.head, offered)).toEqual({ protocol: 'chat', extensions: [] })
  })

  it("the client's head is written with the same lines", () => {
    const head = formatUpgradeRequest({
      target: '/chat',
      host: 'server.example.com',
      key: 'dGhlIHNhbXBsZSBub25jZQ==',
      origin: 'http://example.com',
      protocols: ['chat', 'superchat'],
    })
    expect(head.split('\r\n').sort()).toEqual(CLIENT_HANDSHAKE.split('\r\n').sort())
  })
})

describe('RFC 6455 4.1: the key of the bytes 1 to 16, as the RFC writes it', () => {
  it('is valid', () => {
    expect(isValidKey('AQIDBAUGBwgJCgsMDQ4PEC==')).toBe(true)
  })
})

describe('RFC 6455 9.1: the example extension headers', () => {
  it.each([
    ['foo', ['foo']],
    ['bar; baz=2', ['bar']],
    ['foo, bar; baz=2', ['foo', 'bar']],
    ['deflate-stream', ['deflate-stream']],
    ['mux; max-channels=4; flow-control, deflate-stream', ['mux', 'deflate-stream']],
    ['private-extension', ['private-extension']],
  ])('%s', (value, names) => {
    expect(parseExtensionHeader(value)?.map(({ name }) => name)).toEqual(names)
  })
})

describe('RFC 7692 7.1: the example offers', () => {
  it.each([
    ['permessage-deflate', [[]]],
    ['permessage-deflate; client_max_window_bits', [[['client_max_window_bits', true]]]],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
      [
        [
          ['client_max_window_bits', true],
          ['server_max_window_bits', '10'],
        ],
      ],
    ],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits',
      [
        [
          ['client_max_window_bits', true],
          ['server_max_window_bits', '10'],
        ],
        [['client_max_window_bits', true]],
      ],
    ],
  ])('%s', (value, parameters) => {
    expect(parseExtensionHeader(value)?.map((offer) => offer.parameters)).toEqual(parameters)
  })
})
