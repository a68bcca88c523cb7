/** Why a row of the results is red: by the name of the scenario, or of the part of the leaks. A red row without a reason fails the tests of the docs. */
export const REASONS = {
  handshakes:
    'the server refuses or accepts 3,900 upgrades a second on its one core; two other runs of that day had 4.1 and 4.7 times the quiet p99',
  pings:
    'the first second of the flood, when 200 peers arrive at once with 64 KiB each: single turns of the event loop took 160 to 257 ms in two runs in which they ' +
    'were watched, and 1 % of a flood of 12 s is 0.12 s. The median is 0.3 ms',
  'tiny-frames':
    '200 peers arrive at once with 64 KiB each, as with pings; here the turns were not watched. The median is 0.3 ms',
  'slow-writers':
    'the first bytes of up to 2,000 connections arrive together: one turn of the event loop took 575 and 734 ms in two runs in which it was watched, a third of it ' +
    'for giving heads that are not whole to node:http. The median is that of the quiet',
}
