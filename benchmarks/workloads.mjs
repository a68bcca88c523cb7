/** Echo over loopback: connections, messages in flight on each, bytes of payload. */
export const ECHO = [
  { name: 'echo, 32 B, 1 in flight', connections: 64, inFlight: 1, bytes: 32, type: 'text' },
  { name: 'echo, 32 B, 16 in flight', connections: 64, inFlight: 16, bytes: 32, type: 'text' },
  { name: 'echo, 1 KiB, 1 in flight', connections: 16, inFlight: 1, bytes: 1024, type: 'text' },
  { name: 'echo, 64 KiB binary', connections: 8, inFlight: 4, bytes: 65_536, type: 'binary' },
]

/** What one process does by itself; each gives several figures, in ns. */
export const MICRO = ['parser', 'masking']
