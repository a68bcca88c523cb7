import { readNativeSwitch } from '../../../src/native/native-switch.js'

describe('HAWSER_NATIVE', () => {
  test.each([undefined, ''])(
    'that is not set (%p) turns src/native on where it was tried: on Linux',
    (value) => {
      expect(readNativeSwitch(value, 'linux')).toBe(true)
      expect(
        ['darwin', 'win32', 'freebsd', 'aix'].map((platform) => readNativeSwitch(value, platform)),
      ).toEqual([false, false, false, false])
    },
  )

  test.each(['linux', 'darwin', 'win32'])('decides on every platform: %s', (platform) => {
    expect(readNativeSwitch('on', platform)).toBe(true)
    expect(readNativeSwitch('off', platform)).toBe(false)
  })

  test.each(['OFF', '0', 'false', ' off', 'no'])(
    'with another value (%p) is an error, not a guess',
    (value) => {
      expect(() => readNativeSwitch(value, 'linux')).toThrow(
        new RangeError(`HAWSER_NATIVE must be on or off, not ${JSON.stringify(value)}`),
      )
    },
  )
})
