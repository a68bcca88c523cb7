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
