import { checkService, closeWith, ClosingReply } from '../../../src/service/service.js'

describe('checkService', () => {
  const noop = (): void => undefined

  test('takes handlers, also of a class, and other properties', () => {
    class Chat {
      readonly room = 'dogs'
      onTextMessage(): void {
        // For the name alone.
      }
    }
    const chat = new Chat()
    expect(checkService('service', chat)).toBe(chat)
    expect(() => checkService('service', {})).not.toThrow()
    expect(() => checkService('service', { onUpgrade: noop }, ['onUpgrade'])).not.toThrow()
  })

  test.each(['onTextMessage', 'onBinaryMessage'])('refuses onMessage beside %s, and names both', (other) => {
    expect(() => checkService('service', { onMessage: noop, [other]: noop })).toThrow(
      new TypeError(`service has both onMessage and ${other}: onMessage gets every message`),
    )
  })

  test.each([null, undefined, 5, 'x', noop])('refuses %p as a service', (service) => {
    expect(() => checkService('service', service)).toThrow(/^service must be an object with handlers, not /)
  })

  test('refuses a handler that is not a function, and one that is never called', () => {
    expect(() => checkService('service', { onClose: 5 })).toThrow('service.onClose must be a function, not 5')
    expect(() => checkService('service', { onMesage: noop })).toThrow(
      /^service has no handler named "onMesage"; there are onOpen, onMessage/,
    )
    expect(() => checkService('handlers', { onUpgrade: noop })).toThrow(
      'handlers has no handler named "onUpgrade"',
    )
  })
})

describe('closeWith', () => {
  test('checks its code at once', () => {
    expect(closeWith(4000, 'bye')).toEqual(new ClosingReply(4000, 'bye'))
    expect(closeWith()).toEqual(new ClosingReply(1000, ''))
    expect(closeWith(1005)).toEqual(new ClosingReply(1005, ''))
    expect(() => closeWith(1006)).toThrow(RangeError)
  })
})
