/** A module of src/native as it is with HAWSER_NATIVE on or off: loaded anew, for the room reads the variable once. */
export function loadNative<Module>(value: 'on' | 'off', name: string): Module {
  const before = process.env['HAWSER_NATIVE']
  let module: unknown
  process.env['HAWSER_NATIVE'] = value
  try {
    jest.isolateModules(() => {
      module = jest.requireActual(`../../src/native/${name}`)
    })
  } finally {
    if (before === undefined) delete process.env['HAWSER_NATIVE']
    else process.env['HAWSER_NATIVE'] = before
  }
  return module as Module
}
