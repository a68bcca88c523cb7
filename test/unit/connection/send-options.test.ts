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
    [null, 'options must be an object, not null'],
    [
      () => undefined,
      'options must be an object, not a function: send takes no callback; it returns false when too much waits: then wait for drained() or onDrain',
    ],
    [{ compress: 1 }, 'compress must be true or false, not 1'],
  ])('are refused as %p', (options, message) => {
    const connection = new Connection({ role: 'server' })
    expect(() => connection.send('x', options as never)).toThrow(new TypeError(message))
    expect(connection.takeOutput()).toBeNull()
  })
})
