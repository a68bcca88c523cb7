/** What some systems lack. A test that needs it is not there on them, rather than skipped: .github/workflows/ci.yml says which. */

/** Whether a server can listen at a path of the file system: Windows has named pipes in their place. */
export const HAS_UNIX_SOCKETS = process.platform !== 'win32'

/** Whether what a peer sent is still there to be read after its reset. */
export const KEEPS_BYTES_BEFORE_RESET = process.platform === 'linux'

/** Whether the system spreads the connections of a port over those that share it; elsewhere it refuses the second one. */
export const SPREADS_CONNECTIONS = process.platform !== 'win32' && process.platform !== 'darwin'
