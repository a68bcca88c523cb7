/** What one run measures, before it does: which contender of which row in which Node, how often, and how long that takes. */
import { runsInNode } from './contenders.mjs'

/** Where rounds give the same figure: counts, memory after 15 s of silence, and the suite's own work. */
const ONE_ROUND = ['micro', 'instructions', 'idle', 'autobahn']
/** What is measured in one Node alone: parts by themselves, and what takes minutes. */
const ONE_NODE = ['micro', 'instructions', 'autobahn']

/** Seconds of what is not a round of `seconds`, as measured on 2 cores; they need not be exact. */
const START = 0.3
const SILENCE = 15
const IDLE_OPENING = 3
const IDLE_OPENING_TLS = 9
const ONCE = 4
const MICRO = 4
const INSTRUCTIONS = 20
const AUTOBAHN = 1200

const isOfOneNode = ({ isOneNode, kind }) => isOneNode === true || ONE_NODE.includes(kind)

/** @returns which contenders run in which Node: `{ name, node }`, in the order of the first round */
export function runsOf(workload, { contenders, nodes, quick }, isFirstOfKind) {
  const names = workload.contenders.filter(
    (name) =>
      contenders.includes(name) || workload.kind === 'cores' || (workload.kind === 'idle' && name === 'net'),
  )
  const inNodes = isOfOneNode(workload) ? nodes.slice(0, 1) : nodes
  const [first] = nodes
  return inNodes.flatMap((node) =>
    names
      // What does not run in Node is measured once, for all Nodes.
      .filter((name) => node === first || runsInNode(name))
      // Quick: that it runs in the other Node as well is seen in one row of each kind.
      .filter(
        (name) =>
          !quick ||
          node === first ||
          (isFirstOfKind && name.startsWith('hawser') && name !== 'hawser-return'),
      )
      .map((name) => ({ name, node })),
  )
}

/** @returns the rows with their runs and rounds: `{ workload, runs, rounds }` */
export function makePlan(workloads, flags) {
  const kinds = new Set()
  return workloads.map((workload) => {
    const runs = runsOf(workload, flags, !kinds.has(workload.kind))
    if (!isOfOneNode(workload)) kinds.add(workload.kind)
    return { workload, runs, rounds: ONE_ROUND.includes(workload.kind) ? 1 : flags.rounds }
  })
}

function secondsOfRow({ workload: { kind, tls }, runs, rounds }, { seconds, warmup, quick }) {
  const { length } = runs
  if (kind === 'micro') return length * (quick ? 1 : MICRO)
  if (kind === 'instructions') return length * (quick ? 6 : INSTRUCTIONS)
  if (kind === 'autobahn') return length * AUTOBAHN
  if (kind === 'idle') {
    const opening = quick ? 1 : tls ? IDLE_OPENING_TLS : IDLE_OPENING
    return length * (START + opening) + (quick ? 1 : 2 * SILENCE)
  }
  const one = kind === 'once' ? (quick ? ONCE / 4 : ONCE) : warmup + seconds
  return length * rounds * (START + one)
}

/** @param how `{ seconds, warmup, quick }` @returns about how many seconds a plan takes */
export const secondsOf = (plan, how) => plan.reduce((sum, row) => sum + secondsOfRow(row, how), 0)
