import {
  boolean,
  checkNumber,
  oneOf,
  optionalFunction,
  readOptions,
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

  it('does not compile without a check for each option, nor with one for something else', () => {
    const { name, ...rest } = CHECKS
    // @ts-expect-error no check for `name`
    expect(() => readOptions('Options', { name: 'x' }, rest)).toThrow(/has no option "name"/)
    // @ts-expect-error there is no option `more`
    expect(readOptions('Options', {}, { ...CHECKS, more: name })).toHaveProperty('more', 'nobody')
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
