import { runInNewContext } from 'node:vm'
import {
  boolean,
  checkNumber,
  countSlips,
  nearestName,
  number,
  numberOrOff,
  oneOf,
  optionalFunction,
  optionalObject,
  optionalSignal,
  readOptions,
  refusePromise,
  refuseSurplus,
  requiredOneOf,
  showValue,
  string,
  unchecked,
} from '../../src/check.js'

interface Options {
  readonly name?: string | undefined
  readonly isOn?: boolean | undefined
  readonly mode?: 'a' | 'b' | 'c' | undefined
  readonly onEnd?: (() => void) | undefined
  readonly other?: number | undefined
}

const CHECKS = {
  name: string('nobody'),
  isOn: boolean(true),
  mode: oneOf(['a', 'b', 'c'], 'b'),
  onEnd: optionalFunction<() => void>(),
  other: unchecked<number | undefined>(),
}
const read = (given: unknown): unknown => readOptions('Options', given as Options, CHECKS)

describe('readOptions', () => {
  it('fills in the default of each option that is not given, and of none that is', () => {
    expect(read({})).toEqual({ name: 'nobody', isOn: true, mode: 'b', onEnd: undefined, other: undefined })
    const onEnd = (): void => undefined
    const given = { name: '', isOn: false, mode: 'c', onEnd, other: 5 }
    expect(read(given)).toEqual(given)
  })

  it.each([
    [null, 'Options must be an object, not null'],
    [[], 'Options must be an object, not an array'],
    [
      { nam: 'x' },
      'Options has no option "nam"; there are name, isOn, mode, onEnd, other; did you mean name?',
    ],
    [{ name: 5 }, 'name must be a string, not 5'],
    [{ isOn: 'yes' }, 'isOn must be true or false, not "yes"'],
    [{ mode: 'd' }, "mode must be 'a', 'b' or 'c', not \"d\""],
    [{ onEnd: {} }, 'onEnd must be a function, not an object'],
  ])('refuses %j, with the name, what is legal and the value', (given, message) => {
    expect(() => read(given)).toThrow(new TypeError(message))
  })

  const later = { then: (done: () => void): void => done() }
  it.each([
    ['a promise of another realm', runInNewContext('Promise.resolve({})'), 'a promise: await it'],
    ['a thenable', later, 'a promise: await it'],
    ['a thenable by its prototype', Object.create(later), 'a promise: await it'],
    ['a Map', new Map([['name', 'ada']]), 'a Map'],
    ['a Map of another realm', runInNewContext('new Map()'), 'a Map'],
    ['a Set', new Set(['name']), 'a Set'],
    ['a WeakMap', new WeakMap(), 'a WeakMap'],
    ['a Date', new Date(), 'a Date'],
    ['a Date of another realm', runInNewContext('new Date()'), 'a Date'],
    ['a RegExp', /x/, 'a RegExp'],
    ['an Error', new Error('x'), 'an Error'],
  ])('refuses %s, which has no options in it', (_what, given, shown) => {
    expect(() => read(given)).toThrow(new TypeError(`Options must be an object, not ${shown}`))
  })

  class Settings {
    readonly isOn = false
    readonly #name = 'ada'
    get name(): string {
      return this.#name
    }
  }
  it.each([
    ['without a prototype', Object.assign(Object.create(null) as object, { name: 'ada', isOn: false })],
    ['that is frozen', Object.freeze({ name: 'ada', isOn: false })],
    ['of a class with getters', new Settings()],
    ['of another realm', runInNewContext('({ name: "ada", isOn: false })')],
    ['that is a module', { name: 'ada', isOn: false, [Symbol.toStringTag]: 'Module' }],
  ])('takes an object %s', (_what, given) => {
    expect(read(given)).toMatchObject({ name: 'ada', isOn: false })
  })

  it('drops the rejection of a promise that it refuses', async () => {
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    expect(() => read(Promise.reject(new Error('later')))).toThrow('not a promise: await it')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('does not compile without a check for each option, nor with one for something else', () => {
    const { name, ...rest } = CHECKS
    // @ts-expect-error no check for `name`
    expect(() => readOptions('Options', { name: 'x' }, rest)).toThrow(/has no option "name"/)
    // @ts-expect-error there is no option `more`
    expect(readOptions('Options', {}, { ...CHECKS, more: name })).toHaveProperty('more', 'nobody')
  })
})

describe('the names of options', () => {
  const legal = ['idleTimeoutMs', 'data', 'protocols', 'code']
  it.each([
    ['idletimeoutms', 'idleTimeoutMs'],
    ['idleTimeout', 'idleTimeoutMs'],
    ['ideTimeoutM', 'idleTimeoutMs'],
    ['protocol', 'protocols'],
    ['portocols', 'protocols'],
    ['date', 'data'],
    ['adta', 'data'],
    ['idle', 'idleTimeoutMs'],
    ['codec', 'code'],
    ['dataOfTheSocket', 'data'],
  ])('%s is taken for a slip of %s', (name, meant) => {
    expect(nearestName(name, legal)).toBe(meant)
  })

  it.each(['x', 'ida', 'port', 'timeout', 'dates of birth'.slice(6)])(
    '%s is not like any of them',
    (name) => {
      expect(nearestName(name, legal)).toBeNull()
    },
  )

  it.each([
    ['data', 'data', 0],
    ['data', 'date', 1],
    ['data', 'daat', 1],
    ['data', 'dat', 1],
    ['protocols', 'protokoll', 2],
    ['data', 'dataset', 3],
  ])('%s and %s are apart by %d slips, at least', (a, b, slips) => {
    expect(countSlips(a, b)).toBe(slips)
    expect(countSlips(b, a)).toBe(slips)
  })

  it('count as options if they are inherited, but not those that a program gave to all objects', () => {
    expect(read(Object.create({ name: 'ada' }))).toHaveProperty('name', 'ada')
    expect(() => read(Object.create({ nam: 'ada' }))).toThrow('Options has no option "nam"')
    const everywhere = Object.prototype as { polluted?: number }
    everywhere.polluted = 1
    try {
      expect(read({ name: 'ada' })).toHaveProperty('name', 'ada')
      expect(() => read({ polluted: 1 })).toThrow('Options has no option "polluted"')
    } finally {
      delete everywhere.polluted
    }
  })

  it.each(['constructor', 'toString', '__proto__'])(
    '%s is not an option by being that of any object',
    (name) => {
      expect(() => read(JSON.parse(`{ "${name}": 1 }`))).toThrow(`Options has no option "${name}"`)
    },
  )

  it('have an answer where another library has them, and a prefix where they are parts of an option', () => {
    const advice = { prefix: 'options.', instead: { nam: 'call setName' }, callback: 'await the promise' }
    const readAll = (given: unknown) => () => readOptions('Options', given as Options, CHECKS, advice)
    expect(readAll({ nam: 1 })).toThrow(/; call setName$/)
    expect(readAll({ toString: 1 })).toThrow(/has no option "toString"; there are [\w, ]+$/)
    expect(readAll({ name: 1 })).toThrow('options.name must be a string, not 1')
    expect(readAll(() => 1)).toThrow('Options must be an object, not a function: await the promise')
  })
})

describe('readOptions, of each option', () => {
  it('reads it once, so that the value that was checked is the one that is used', () => {
    const reads: string[] = []
    const given = new Proxy(
      { name: 'ada', isOn: false },
      {
        get: (target, name) => {
          reads.push(String(name))
          return Reflect.get(target, name) as unknown
        },
      },
    )
    expect(read(given)).toMatchObject({ name: 'ada', isOn: false })
    expect(reads.filter((name) => Object.hasOwn(CHECKS, name)).sort()).toEqual(Object.keys(CHECKS).sort())
  })
})

describe('the checks of one value', () => {
  it.each([
    [number({ min: 1, integer: true }, 7), 'n must be an integer from 1 to Infinity, not "x"'],
    [numberOrOff({ min: 1, integer: true }, 7), 'n must be an integer from 1 to Infinity, not "x"'],
    [optionalObject('a connection'), 'n must be a connection, not "x"'],
    [optionalSignal, 'n must be an AbortSignal, not "x"'],
    [requiredOneOf(['client', 'server']), "n must be 'client' or 'server', not \"x\""],
    [oneOf(['on'], 'on'), 'n must be \'on\', not "x"'],
    [boolean(undefined), 'n must be true or false, not "x"'],
  ])('%p says what is legal: %s', (check, message) => {
    expect(() => check('n', 'x')).toThrow(new TypeError(message))
  })

  it('give the default for undefined, and Infinity for false where a number may be off', () => {
    expect(number({ min: 1, integer: true }, 7)('n', undefined)).toBe(7)
    expect(numberOrOff({ min: 1, integer: true }, 7)('n', undefined)).toBe(7)
    expect(numberOrOff({ min: 1, integer: true }, 7)('n', false)).toBe(Infinity)
    expect(boolean(undefined)('n', undefined)).toBeUndefined()
    expect(() => requiredOneOf(['client', 'server'])('role', undefined)).toThrow('not undefined')
  })

  it('take the values that are legal', () => {
    const { signal } = new AbortController()
    expect(optionalSignal('signal', signal)).toBe(signal)
    expect(optionalObject('an object')('o', signal)).toBe(signal)
    expect(numberOrOff({ min: 1, integer: true }, 7)('n', 2)).toBe(2)
    expect(requiredOneOf(['client', 'server'])('role', 'client')).toBe('client')
  })
})

describe('arguments that a function does not have', () => {
  it('are refused with what to use instead, and undefined is none', () => {
    expect(() => {
      refuseSurplus(() => 1, 'send(data, options)', 'it returns a boolean')
    }).toThrow(
      new TypeError(
        'send(data, options) takes no further argument, and was given a function: it returns a boolean',
      ),
    )
    expect(() => {
      refuseSurplus(undefined, 'send(data, options)', 'it returns a boolean')
    }).not.toThrow()
  })
})

describe('a promise where a function must answer at once', () => {
  it('is refused, and what it rejects with is not an unhandled rejection', async () => {
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    expect(() => {
      refusePromise(Promise.reject(new Error('later')), 'filter must not be async')
    }).toThrow(new TypeError('filter must not be async'))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(() => {
      refusePromise(true, 'filter must not be async')
    }).not.toThrow()
  })
})

describe('checkNumber', () => {
  it.each([
    ['1', TypeError],
    [Number.NaN, RangeError],
    [1.5, RangeError],
    [0, RangeError],
    [11, RangeError],
  ])('refuses %p, with the name, the range and the value', (value, kind) => {
    const message = `count must be an integer from 1 to 10, not ${showValue(value)}`
    expect(() => checkNumber('count', value, { min: 1, max: 10, integer: true })).toThrow(new kind(message))
  })
})
