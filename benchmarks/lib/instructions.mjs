/** Instructions of one message, where something counts them: the processor through perf, else valgrind. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { AbsentError, here } from './contenders.mjs'
import { MEASURED, run, scratch } from './processes.mjs'

const MESSAGES_A_CHUNK = 16

/** V8 in one thread, and as little chance as there can be. */
const STEADY = ['--single-threaded', '--hash-seed=1', '--random-seed=1', '--max-lazy']

/** `chunks`: two lengths of the same run; what they differ by is free of the start and of most compilation. */
const COUNTERS = [
  {
    command: ['perf', 'stat', '-x', ',', '-e', 'instructions:u'],
    logTo: (file) => ['-o', file],
    read: (text) => Number(/^(\d+),/m.exec(text)?.[1] ?? NaN),
    chunks: [20_000, 60_000],
  },
  {
    command: [
      'valgrind',
      '--tool=cachegrind',
      '--cache-sim=no',
      '--smc-check=all-non-file',
      '--cachegrind-out-file=/dev/null',
    ],
    logTo: (file) => [`--log-file=${file}`],
    read: (text) => Number((/I\s+refs:\s+([\d,]+)/.exec(text)?.[1] ?? 'NaN').replaceAll(',', '')),
    chunks: [1500, 3500],
  },
]

const log = path.join(scratch, 'instructions')

async function count({ command, logTo, read }, args) {
  await run(MEASURED, command[0], [...command.slice(1), ...logTo(log), ...args])
  return read(readFileSync(log, 'utf8'))
}

/** The first that counts here. */
function findCounter() {
  return COUNTERS.find(({ command, logTo, read }) => {
    const { status } = spawnSync(command[0], [...command.slice(1), ...logTo(log), 'true'], {
      stdio: 'ignore',
    })
    return status === 0 && read(readFileSync(log, 'utf8')) > 0
  })
}

let counter

/** Enough to see that it runs. */
const QUICK_CHUNKS = [100, 200]

export async function measureInstructions(contender, _workload, { quick }) {
  counter ??= findCounter()
  if (counter === undefined) throw new AbsentError('neither perf nor valgrind counts instructions here')
  const args = (chunks) => [
    contender.command,
    ...STEADY,
    here('micro/instructions.mjs'),
    contender.name,
    String(chunks),
  ]
  const [few, many] = quick ? QUICK_CHUNKS : counter.chunks
  const difference = (await count(counter, args(many))) - (await count(counter, args(few)))
  return { value: difference / ((many - few) * MESSAGES_A_CHUNK), counter: counter.command[0] }
}
