/**
 * What a contender offers.
 * @typedef {object} Contender
 * @property {() => Promise<number>} startEchoServer listens on a free port of 127.0.0.1, echoes every message with its
 *   type, offers compression; resolves with the port
 * @property {(url: string) => Promise<void>} echo connects and echoes every message with its type; resolves when the
 *   connection has ended, rejects where none could be opened
 * @property {(url: string) => Promise<string>} readText connects and resolves with the first text message
 */

/** @typedef {'handle' | 'stream'} Way by which Hawser moves bytes */

/**
 * @param {string | undefined} name
 * @param {string | undefined} way of Hawser; any other contender has one only
 * @returns {Promise<Contender>}
 */
export async function loadContender(name, way) {
  if (name === 'ws') return import('./ws.mjs')
  const { hawser } = await import('./hawser.mjs')
  return hawser({ directIo: way !== 'stream' })
}
