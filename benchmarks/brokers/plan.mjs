/** Who is measured over which broker, and under which load. Data alone. */

export const CONTENDERS = {
  hawser: { title: 'Hawser', node: 'hawser', protocol: 'hawser', broker: 'redis' },
  'hawser-nats': { title: 'Hawser, NATS', node: 'hawser', protocol: 'hawser', broker: 'nats' },
  'socket.io': {
    title: 'Socket.IO',
    node: 'socketio',
    protocol: 'socketio',
    broker: 'redis',
    adapter: 'plain',
  },
  'socket.io-sharded': {
    title: 'Socket.IO, sharded adapter',
    node: 'socketio',
    protocol: 'socketio',
    broker: 'redis',
    adapter: 'sharded',
  },
}

/** With and without a broker: one process with all members; two with half of them each; a third one without members. */
const ONE = { processes: 1, third: null }
const TWO = { processes: 2, third: null }

const ONE_GROUP = { members: 1000, groups: 1, memberships: 1, payload: 32, inflight: 1 }
const MANY_GROUPS = { members: 1000, groups: 1000, memberships: 10, payload: 32, inflight: 50 }

/**
 * The rows. `setups`: which processes there are; `third`: what a node without members does, `publishes` (the publisher is
 * connected to it) or `listens` (how much it hears is measured).
 */
export const ROWS = [
  { name: '1 group of 1,000, 32 B, 1 in flight', load: ONE_GROUP, setups: [ONE, TWO] },
  { name: '1 group of 1,000, 32 B, 16 in flight', load: { ...ONE_GROUP, inflight: 16 }, setups: [ONE, TWO] },
  { name: '1 group of 1,000, 1 KiB, 1 in flight', load: { ...ONE_GROUP, payload: 1024 }, setups: [ONE, TWO] },
  { name: '1,000 groups of 10, 32 B, 50 in flight', load: MANY_GROUPS, setups: [ONE, TWO] },
  {
    name: 'publisher at a node without members',
    load: ONE_GROUP,
    setups: [{ processes: 2, third: 'publishes' }],
  },
  {
    name: 'a node without members beside them',
    load: MANY_GROUPS,
    setups: [{ processes: 2, third: 'listens' }],
  },
  { name: 'latency, a member at each node', load: { ...ONE_GROUP, members: 2 }, setups: [TWO] },
]

/** The same with fewer members, to see that all of it runs. */
export const quickly = (load) => {
  const members = Math.min(load.members, 100)
  return { ...load, members, groups: load.groups === 1 ? 1 : members }
}

/** The name of a contender in a setup, as the results have it. */
export const keyOf = (contender, { processes, third }) =>
  `${contender}, ${processes}${third === null ? '' : ' + 1'}`

/** @returns the runs of a row: `{ key, contender, setup }`. One process needs no broker, so adapters do not differ there */
export function runsOf({ setups }, contenders) {
  return setups.flatMap((setup) =>
    contenders
      .filter((name) => {
        const { node } = CONTENDERS[name]
        const isFirst = contenders.find((other) => CONTENDERS[other].node === node) === name
        return setup.processes > 1 || isFirst
      })
      .map((name) => ({ key: keyOf(name, setup), contender: name, setup })),
  )
}
