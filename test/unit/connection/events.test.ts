import { MessageReceived } from '../../../src/connection/events.js'

describe('RFC 6455 6.2: a received message', () => {
  test('holds text or bytes unchanged', () => {
    expect(new MessageReceived('text')).toEqual({ type: 'message', data: 'text' })
    const data = Buffer.from([1])
    expect(new MessageReceived(data).data).toBe(data)
  })
})
