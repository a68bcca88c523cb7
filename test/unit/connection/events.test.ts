import { MessageReceived } from '../../../src/connection/events.js'

describe('RFC 6455 6.2: a message that came', () => {
  test('text or bytes, as they are', () => {
    expect(new MessageReceived('text')).toEqual({ type: 'message', data: 'text' })
    const data = Buffer.from([1])
    expect(new MessageReceived(data).data).toBe(data)
  })
})
