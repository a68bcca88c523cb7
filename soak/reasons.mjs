/** Why a row of the results is red: by the name of the scenario, or of the part of the leaks. A red row without a reason fails the tests of the docs. */
export const REASONS = {
  handshakes:
    'the server refuses or accepts 4,600 upgrades a second on its one core; two other runs of that day had 4.1 and 4.7 times the quiet p99',
  pings:
    'one turn of the event loop, when the flood begins: 200 peers arrive at once with 64 KiB each, and to accept, to fail and to answer one takes about 1 ms; ' +
    '1 % of a flood of 12 s is 0.12 s. The median is 0.3 ms',
  'tiny-frames':
    'as with pings: one turn when the flood begins, 200 peers of about 1 ms each. The median is 0.3 ms',
  'slow-writers':
    'the first bytes of up to 2,000 connections arrive in one turn of the event loop: to give one to node:http, which reads heads that are not whole, ' +
    'takes 0.2 to 0.35 ms. The median is that of the quiet',
}
