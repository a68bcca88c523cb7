import { checkServerService } from '../../../src/server/server-service.js'
import { checkService } from '../../../src/service/service.js'

const noop = (): void => undefined
const check = (service: object, others: readonly string[] = []): unknown =>
  checkService('service', service, others)

describe('the names of a plain object', () => {
  test.each([
    ['open', 'service has no handler or option named "open"', '; did you mean onOpen?'],
    ['message', 'service has no handler or option named "message"', '; did you mean onMessage?'],
    ['concurency', 'service has no handler or option named "concurency"', '; did you mean concurrency?'],
    ['onmessage', 'service has no handler named "onmessage"', '; did you mean onMessage?'],
    ['users', 'service has no handler or option named "users"', 'onError, codec, concurrency'],
  ])('must be handlers or options: %s is refused, and the error lists the known names', (key, start, end) => {
    const run = (): unknown => check({ onOpen: noop, [key]: noop })
    expect(run).toThrow(TypeError)
    expect(run).toThrow(new RegExp(`^${start}; there are onOpen, onMessage, `))
    expect(run).toThrow(new RegExp(`${end.replace('?', '[?]')}$`))
  })

  test('are checked when they are its own and enumerable, but not symbols, hidden and inherited ones', () => {
    const service = Object.create({ users: 1 }, { hidden: { value: 1 } }) as object
    expect(() => check(Object.assign(service, { onOpen: noop, [Symbol('x')]: 1 }))).not.toThrow()
    expect(() => check(Object.assign(Object.create(null) as object, { open: noop }))).toThrow('"open"')
  })

  test('depend on the role: a client has no onUpgrade', () => {
    expect(() => check({ onUpgrade: noop }, ['onUpgrade'])).not.toThrow()
    expect(() => check({ onUpgrade: noop })).toThrow(/"onUpgrade"; there are .*concurrency$/)
    expect(() => check({ upgrade: noop })).toThrow(/"upgrade"; there are .*concurrency$/)
  })
})

describe('the names of an instance of a class', () => {
  test('are free, for methods and state alike', () => {
    class Chat {
      readonly users = new Set<string>()
      readonly code = 5
      readonly online = 0
      mode = 'x'
      message = 'the last one'
      onTextMessage(): void {
        this.users.add(this.message)
      }
      count(): number {
        return this.users.size
      }
    }
    const chat = new Chat()
    expect(check(chat)).toBe(chat)
    // Words of their own, near as they are to `quotas` and `protocols`.
    class Account extends Chat {
      quota = 10
      protocol = 'v1'
    }
    expect(() => checkServerService(new Account())).not.toThrow()
    // A name of elsewhere is one of its own where the handler is there as well.
    class Closable extends Chat {
      onClose(): void {
        this.close()
      }
      close(): void {
        this.users.clear()
      }
    }
    expect(() => check(new Closable())).not.toThrow()
  })

  test('may be those of handlers in other libraries where the class has a handler', () => {
    class Chat {
      onMessage(): void {
        this.close()
      }
      open = noop
      close(): void {
        this.connect()
      }
      connect(): void {
        this.error()
      }
      error(): void {
        noop()
      }
    }
    expect(() => check(new Chat())).not.toThrow()
    expect(() => check(new (class extends Chat {})())).not.toThrow()
    // Also a handler that is inherited, or a property of the instance.
    class Timer {
      onOpen = noop
      drain(): void {
        noop()
      }
    }
    expect(() => check(new Timer())).not.toThrow()
  })

  test.each(['onJoin', 'onLeave', 'onPick', 'onMove', 'onLogin', 'onDisconnect', 'onTextChanged', 'onDone'])(
    'may be those of its own events where the class has a handler: %s',
    (key) => {
      class Chat {
        onTextMessage(): void {
          noop()
        }
      }
      class Game extends Chat {}
      Object.defineProperty(Game.prototype, key, { value: noop, writable: true, configurable: true })
      expect(() => check(new Game())).not.toThrow()
      expect(() => check(Object.assign(new Chat(), { [key]: noop }))).not.toThrow()
      // What is not a method is not called by the class, so that it must be meant for the server.
      expect(() => check(Object.assign(new Chat(), { [key]: 1 }))).toThrow(`named "${key}"; there are`)
      // A class with this alone would have no handler.
      const alone = Object.create({ [key]: noop }) as object
      expect(() => check(alone)).toThrow(`named "${key}"; there are`)
      expect(() => check({ onOpen: noop, [key]: noop })).toThrow(`named "${key}"; there are`)
    },
  )

  test.each([
    ['onMesage', 'onMessage'],
    ['onMessages', 'onMessage'],
    ['onmessage', 'onMessage'],
    ['onTextMesage', 'onTextMessage'],
    ['onOpn', 'onOpen'],
    ['onOpne', 'onOpen'],
    ['onPing2', 'onPing'],
    ['onClosed', 'onClose'],
    ['onIdle_timeout', 'onIdleTimeout'],
    ['onDrian', 'onDrain'],
  ])('are refused beside a handler where they are a slip of one: %s is %s', (key, meant) => {
    class Chat {
      onBinaryMessage(): void {
        noop()
      }
    }
    Object.defineProperty(Chat.prototype, key, { value: noop })
    expect(() => check(new Chat())).toThrow(TypeError)
    expect(() => check(new Chat())).toThrow(
      new RegExp(`named "${key}"; there are .*; did you mean ${meant}[?]$`),
    )
  })

  test('depend on the role: a class with onUpgrade is not a service of a client', () => {
    class Gate {
      onOpen = noop
      onUpgrade(): void {
        noop()
      }
    }
    expect(() => check(new Gate(), ['onUpgrade'])).not.toThrow()
    expect(() => check(new Gate())).toThrow('named "onUpgrade"; there are')
  })

  test.each<[string, object]>([
    [
      'message',
      new (class {
        message(): void {
          noop()
        }
      })(),
    ],
    [
      'open',
      new (class {
        open = noop
      })(),
    ],
    [
      'concurency',
      new (class {
        concurency = 4
      })(),
    ],
    [
      'concurrencyy',
      new (class {
        concurrencyy = 4
      })(),
    ],
    [
      'codecs',
      new (class {
        codecs = {}
      })(),
    ],
    [
      'onclose',
      new (class {
        onclose = null
      })(),
    ],
    [
      'onEverything',
      new (class {
        onEverything = 1
      })(),
    ],
    [
      'nonMessage',
      new (class {
        nonMessage(): void {
          noop()
        }
      })(),
    ],
  ])('are refused when they nearly match a handler or an option: %s', (key, service) => {
    expect(() => check(service)).toThrow(TypeError)
    expect(() => check(service)).toThrow(`named "${key}"; there are`)
    // Remembered, and the same.
    expect(() => check(service)).toThrow(`named "${key}"; there are`)
  })

  test('are read without calling anything', () => {
    class Watched {
      get mesage(): never {
        throw new Error('called')
      }
      get open(): never {
        throw new Error('called')
      }
    }
    expect(() => check(new Watched())).not.toThrow()
  })

  test('of a module that has helpers beside its handlers are treated as those of a class', () => {
    const module = { [Symbol.toStringTag]: 'Module', onOpen: noop, helper: noop, LIMIT: 5 }
    expect(() => check(module)).not.toThrow()
    expect(() => check({ ...module, message: noop })).toThrow('"message"')
    expect(() => check({ __esModule: true, onOpen: noop, helper: noop })).not.toThrow()
  })
})
