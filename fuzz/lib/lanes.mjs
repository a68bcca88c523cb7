/** The ways in which the same code runs: with all that a platform has, and with less. */

/** For each lane what the process gets. @type {Readonly<Record<string, { env: Record<string, string>, hasWebAssembly: boolean }>>} */
export const LANES = {
  native: { env: { HAWSER_NATIVE: 'on' }, hasWebAssembly: true },
  'no-wasm': { env: { HAWSER_NATIVE: 'on' }, hasWebAssembly: false },
  off: { env: { HAWSER_NATIVE: 'off' }, hasWebAssembly: true },
}
