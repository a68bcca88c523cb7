import { Connection } from '../../../src/connection/index.js'

describe('the options of one message', () => {
  test('may be absent, empty, true or false', () => {
    const connection = new Connection({ role: 'server' })
    for (const options of [undefined, {}, { compress: true }, { compress: false }]) {
      expect(connection.send('x', options)).toBe(true)
    }
    expect(connection.takeOutput()).toEqual(Buffer.from('810178810178810178810178', 'hex'))
  })

  test.each([
    [null, 'send options must be an object with compress, not null'],
    [() => undefined, 'send options must be an object with compress, not a function'],
    [{ compress: 1 }, 'compress must be true or false, not 1'],
  ])('are refused as %p', (options, message) => {
    const connection = new Connection({ role: 'server' })
    expect(() => connection.send('x', options as never)).toThrow(new TypeError(message))
    expect(connection.takeOutput()).toBeNull()
  })
})
