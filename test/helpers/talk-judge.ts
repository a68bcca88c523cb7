/** Whether a run of a conversation (talk-run.ts) went as it must, whatever was done to its line. */
import type { Sender } from './fault-flow.js'
import { otherEnd, showPlan, type Plan, type Run } from './talk-run.js'
import type { End, Talk } from './talks.js'
import type { Whole } from './talk-wire.js'

const HARMLESS: readonly Plan['kind'][] = ['delay', 'split', 'drip', 'merge', 'hold']

/** What `connect` may reject with where there was no connection. */
const FAILURES: Readonly<Record<string, readonly string[]>> = {
  truncate: ['HAWSER_CONNECTION_FAILED'],
  reset: ['HAWSER_CONNECTION_FAILED'],
  lateReset: ['HAWSER_CONNECTION_FAILED'],
  // The server answers the half of a request.
  halfClose: ['HAWSER_CONNECTION_FAILED', 'HAWSER_UNEXPECTED_STATUS'],
  stall: ['HAWSER_HANDSHAKE_TIMEOUT', 'HAWSER_CONNECTION_FAILED', 'HAWSER_UNEXPECTED_STATUS'],
  silence: ['HAWSER_HANDSHAKE_TIMEOUT', 'HAWSER_CONNECTION_FAILED', 'HAWSER_UNEXPECTED_STATUS'],
}

/** What `onError` may get, once. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  truncate: [],
  halfClose: [],
  reset: ['HAWSER_TRANSPORT'],
  lateReset: ['HAWSER_TRANSPORT'],
  stall: ['HAWSER_HEARTBEAT_TIMEOUT', 'HAWSER_SEND_TIMEOUT', 'HAWSER_TRANSPORT'],
  silence: ['HAWSER_HEARTBEAT_TIMEOUT', 'HAWSER_SEND_TIMEOUT', 'HAWSER_TRANSPORT'],
}

const NOTHING: Whole = { head: false, lines: 0, close: false }

/** One end of a run, and what it was given. */
interface Case {
  readonly name: Sender
  readonly end: End
  /** The same end in the undisturbed run. */
  readonly calm: End
  readonly kind: Plan['kind']
  readonly whole: Whole
  /** Whether everything that is whole reaches the end: a reset may take away what the end has not read. */
  readonly isSure: boolean
  /** Nothing but the proxy is between the ends. */
  readonly isDirect: boolean
}

/** What must be so for each end of each run. */
function judgeAnyEnd({ openCount, closeCount, promises, socket }: End): string[] {
  const wrongs: string[] = []
  if (openCount > 1) wrongs.push(`onOpen was called ${openCount} times`)
  if (closeCount !== openCount) wrongs.push(`onOpen was called ${openCount} times, onClose ${closeCount}`)
  for (const [name, result] of promises) {
    const isClosed = name.startsWith('write') && result === 'HAWSER_CONNECTION_CLOSED'
    if (result !== 'done' && !isClosed && name !== 'connect') wrongs.push(`${name}: ${result}`)
  }
  if (socket === null) return wrongs
  if (socket.readyState !== 3) wrongs.push(`readyState is ${socket.readyState} after the end`)
  if (socket.bufferedAmount !== 0) wrongs.push(`bufferedAmount is ${socket.bufferedAmount} after the end`)
  if (socket.send('late')) wrongs.push('send takes a message after the end')
  return wrongs
}

/** The application sees what it sees in an undisturbed run. */
function judgeUnharmed(end: End, calm: End): string[] {
  const show = (one: End): string =>
    [
      ...one.lines,
      ...one.errors.map((code) => `error ${code}`),
      one.closing,
      ...[...one.promises].map(String),
    ].join(' | ')
  return show(end) === show(calm) ? [] : [`${show(end)}\n  instead of ${show(calm)}`]
}

/** How a connection may end that was cut before the peer's Close frame was whole. */
function cutEnds({ end, kind, isSure }: Case): string[] {
  const initiators: string[] = []
  if (end.callsClose) initiators.push('local')
  // A caller who closes a connection that is lost already did not begin its end.
  if (!end.callsClose || !isSure) initiators.push('remote')
  if (!end.callsClose && (kind === 'stall' || kind === 'silence')) initiators.push('engine')
  return initiators.map((initiator) => `closed 1006 unclean ${initiator}`)
}

/** How a connection may end that opened. */
function allowedEnds(one: Case): string[] {
  const { calm, kind, whole, isSure } = one
  if (!whole.close) return cutEnds(one)
  if (isSure && kind !== 'lateReset') return [calm.closing]
  // The Close frame was heard or not, and answered or not.
  return [calm.closing, calm.closing.replace(' clean ', ' unclean '), ...cutEnds({ ...one, isSure: false })]
}

function judgeHarmed(one: Case): string[] {
  const { end, calm, kind, whole, isSure, isDirect } = one
  const wrongs: string[] = []
  const lines = calm.lines.slice(0, whole.lines)
  const isOpen = end.openCount > 0
  if (isOpen && !whole.head) wrongs.push('onOpen was called before the handshake was whole')
  if (!isOpen && whole.head && isSure) wrongs.push('onOpen was not called')
  if (!isOpen && end.lines.length + end.errors.length > 0) wrongs.push('it heard something and was not open')
  const heard = end.lines.join(' | ')
  const wanted = (isSure ? lines : lines.slice(0, end.lines.length)).join(' | ')
  if (isOpen && heard !== wanted) wrongs.push(`heard ${heard}\n  instead of ${wanted}`)
  const ends = allowedEnds(one)
  if (isOpen && !ends.includes(end.closing)) wrongs.push(`${end.closing}\n  instead of ${ends.join(' or ')}`)
  const errors = ERRORS[kind] ?? []
  if (end.errors.length > 1 || end.errors.some((code) => !errors.includes(code))) {
    wrongs.push(`errors ${end.errors.join()}`)
  }
  // A reset right behind bytes is an end to libuv: it is told of as a reset only where it comes alone.
  const isReset = kind === 'lateReset' && isSure && isDirect && end.closing.startsWith('closed 1006 ')
  if ((isReset || end.closing.endsWith('engine')) && end.errors.length === 0) wrongs.push('no error says why')
  return wrongs
}

function judgeConnect({ end, kind, whole, isSure }: Case, { isRefused }: Talk): string[] {
  const result = end.promises.get('connect') ?? 'pending'
  const allowed = [...(FAILURES[kind] ?? [])]
  if (isRefused === true && whole.head) {
    if (isSure) allowed.length = 0
    allowed.push('HAWSER_UNEXPECTED_STATUS')
  }
  if (end.openCount > 0 ? result === 'done' : allowed.includes(result)) return []
  return [`connect: ${result}${end.openCount > 0 ? ' after onOpen' : ''}`]
}

/** Whether bytes that passed may not reach an end. */
function mayMiss(name: Sender, { kind, from }: Plan, talk: Talk): boolean {
  if (talk.isTunnelled === true || kind === 'reset') return true
  // It resets after one of the ends has heard everything.
  if (kind === 'lateReset') return name !== otherEnd(from)
  return talk.takesTime === true && (kind === 'stall' || kind === 'silence')
}

/**
 * Judges one end.
 * @param calm the undisturbed run
 */
function judgeEnd(name: Sender, end: End, run: Run, calm: Run, talk: Talk): string[] {
  const wrongs = judgeAnyEnd(end)
  const { plan } = run
  const calmEnd = calm[name] as End
  if (plan === null || HARMLESS.includes(plan.kind)) return [...wrongs, ...judgeUnharmed(end, calmEnd)]
  const { kind } = plan
  // A response of a server that has not accepted is none to the handshake.
  const isAnswered = name === 'server' || talk.isRefused === true || run.server?.openCount !== 0
  const isSure = !mayMiss(name, plan, talk)
  const whole = isAnswered ? run.wholeFor(name) : NOTHING
  const one = { name, end, calm: calmEnd, kind, whole, isSure, isDirect: run.relays.length === 0 }
  const isToOpen = talk.isRefused !== true
  wrongs.push(...judgeHarmed(isToOpen ? one : { ...one, whole: NOTHING }))
  if (name === 'client') wrongs.push(...judgeConnect(one, talk))
  return wrongs
}

/**
 * What is wrong with a run.
 * @param calm the undisturbed run
 * @returns one text for each fault; empty: nothing is wrong
 */
export function judge(run: Run, calm: Run, talk: Talk): string[] {
  const wrongs = run.ends.flatMap(([name, end]) =>
    judgeEnd(name, end, run, calm, talk).map((wrong) => `${name}: ${wrong}`),
  )
  if (run.problem !== '') wrongs.push(run.problem)
  return wrongs.map((wrong) => `${showPlan(run.plan)}: ${wrong}`)
}
