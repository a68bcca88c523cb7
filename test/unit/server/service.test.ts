/** What `accept`, `router`, `trackEvents` and `route` say to a wrong argument. */
import { accept } from '../../../src/index.js'

describe('accept', () => {
  test('takes its options, and tells of a name that is none', () => {
    expect(accept()).toMatchObject({ data: undefined })
    expect(accept({ data: 1, protocol: 'a' })).toMatchObject({ data: 1, protocol: 'a' })
    expect(() => accept({ date: 1 } as never)).toThrow(
      new TypeError('AcceptOptions has no option "date"; there are data, headers, protocol'),
    )
  })

  test.each([null, 5, 'x', [[]]])('%p is no object of options', (options) => {
    expect(() => accept(options as never)).toThrow(/^AcceptOptions must be an object, not /)
  })
})
