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

  test.each([new Map(), new Date(), new URL('ws://a.test'), new Response(), new Error('x'), /x/])(
    'refuses %p, which would have no handlers, and takes one that was given some',
    (value) => {
      expect(() => checkService('service', value)).toThrow(
        /^service must be an object with handlers, not a value of the kind (Map|Date|URL|Response|Error|RegExp)$/,
      )
      expect(() => checkService('service', Object.assign(value, { onMessage: noop }))).not.toThrow()
    },
  )

  test('refuses a generator where its value is not a reply: nothing would run it', () => {
    function* generator(): Generator {
      yield 1
    }
    async function* asyncGenerator(): AsyncGenerator {
      yield await Promise.resolve(1)
    }
    for (const handler of [generator, asyncGenerator]) {
      expect(() => checkService('service', { onMessage: handler })).not.toThrow()
      expect(() =>
        checkService('service', { onTextMessage: handler, onBinaryMessage: handler }),
      ).not.toThrow()
      for (const key of ['onOpen', 'onClose', 'onError', 'onDrain', 'onPing', 'onPong', 'onIdleTimeout']) {
        expect(() => checkService('service', { [key]: handler })).toThrow(
          new TypeError(
            `service.${key} must not be a generator: its value is not a reply, so that nothing would run it`,
          ),
        )
      }
    }
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
