import * as connection from 'hawser/connection'

describe('hawser/connection', () => {
  test('exports the documented names, and a connection works without the other rooms', () => {
    expect(Object.keys(connection).sort()).toEqual([
      'CLIENT_LIMITS',
      'CloseCode',
      'Connection',
      'LimitError',
      'PreparedMessage',
      'ProtocolError',
      'ReadyState',
      'SERVER_LIMITS',
      'TransportError',
    ])
    const one = new connection.Connection({ role: 'server' })
    expect(one.readyState).toBe(connection.ReadyState.OPEN)
    one.send('Hello')
    expect(one.takeOutput()).toEqual(Buffer.from('\x81\x05Hello', 'latin1'))
  })
})
