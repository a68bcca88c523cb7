/** Why a row of the results is red: by the name of the scenario, or of the part of the leaks. A red row without a reason fails the tests of the docs. */
export const REASONS = {
  'tiny-frames':
    'Alone, this flood had a p99 of 42 to 73 ms in five runs of the same day. Where its turns were watched, the longest of the first half second, in which 200 peers arrive, took 34 to 61 ms, with 4 to 16 large chunks, ' +
    'up to 36 handshakes and some 180 messages of the steady clients in each. A build before it was watched by `schedstat`: of turns of 45 to 59 ms the main thread had its core for 13 to 26 ms, and waited for it in the ' +
    'rest. The collector and the compiler of V8 run in threads of the same process, which has one core here. What causes the rest of the 88 ms in this run is not known.',
  'slow-readers':
    'Alone, this flood had a p99 of 18 to 29 ms in four runs of the same day, and in the run before this one it was within its bound with 61 ms, since the usual quiet p99 was 6.4 ms there. What makes it slower in a whole run is not known.',
  server:
    'It is over by 10 KiB. 0.6 MiB of it came with the first 140,000 connections, and the last 280,000 left nothing: the heap reaches a level, and does not grow with each connection.',
}
