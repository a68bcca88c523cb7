/** Why a row of the results is red: by the name of the scenario, or of the part of the leaks. A red row without a reason fails the tests of the docs. */
const SHARED_CORE =
  'In those the event loop had its core for 8 to 60 ms, as the system counts it (`schedstat`), and waited for it in most of the rest: the collector and the compiler of V8 run in threads ' +
  'of the same process, which has one core here'

export const REASONS = {
  pings: `the first second of the flood, when 200 peers arrive at once, each with 64 KiB and more behind its handshake: the eight longest turns of the event loop took 55 to 101 ms in a run in which they were watched. ${
    SHARED_CORE
  }`,
  'tiny-frames': `as with pings: of each of 200 connections one chunk is handled before the next ones wait for their turns, and the eight longest turns took 55 to 105 ms in that run, with 112 ms as the p99. ${
    SHARED_CORE
  }`,
  client:
    '1.0 MiB of it came with the first 55,000 connections behind a warm-up of 13,750, and 0.6 MiB with the 220,000 behind them, of which the last 55,000 left nothing: ' +
    'the heap reaches a level, as it does in the other parts, and does not grow with each connection. A longer warm-up was not tried',
}
