#!/usr/bin/env node
/** `npm run consumers`: programs that use `ws`, with it and with the drop-in. See README.md in this folder. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { CACHE, install, packDropIn, versionsOf } from './lib/install.mjs'
import { compare, runProgram } from './lib/run-program.mjs'
import { PROGRAMS } from './list.mjs'

const HELP = `node consumers/run.mjs [--quick] [--only NAME,...] [--ws-only] [--tarball FILE] [--list]
  --quick    the programs that are quick to install and to run
  --only     programs by name
  --ws-only  with ws alone: whether the programs themselves are right
  --tarball  this packed drop-in, and not a new one of packages/ws
  --list     names the programs
Exit code 1: a program does not pass with the drop-in what it passes with ws, or could not be tried.`

const print = (line) => process.stdout.write(`${line}\n`)
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

/** @param {string | undefined} only @returns {import('./list.mjs').Program[]} */
function choose({ quick, only }) {
  const names = only?.split(',') ?? PROGRAMS.map(({ name }) => name)
  const unknown = names.filter((name) => !PROGRAMS.some((program) => program.name === name))
  if (unknown.length > 0) {
    throw new Error(
      `no program: ${unknown.join(', ')}. There are ${PROGRAMS.map(({ name }) => name).join(', ')}`,
    )
  }
  return PROGRAMS.filter((program) => names.includes(program.name) && (!quick || program.quick))
}

function installTimed(options, title) {
  const began = performance.now()
  const tree = install(options)
  print(`${title}: installed (${seconds(began)})`)
  return tree
}

/** @returns {Promise<{ ws?: object, dropIn?: object, failures: string[] }>} */
async function tryProgram(program, trees) {
  const ws = await runProgram(program, trees.ws)
  const row = { ws: ws.report, failures: [] }
  const { wsFails } = program
  if (wsFails === undefined && ws.failure !== undefined) row.failures.push(`with ws: ${ws.failure}`)
  if (wsFails !== undefined && ws.failure === undefined) row.failures.push(`ws passes, though: ${wsFails}`)
  if (trees.dropIn === null) return row
  const dropIn = await runProgram(program, trees.dropIn)
  row.dropIn = dropIn.report
  if (dropIn.failure !== undefined) row.failures.push(`with the drop-in: ${dropIn.failure}`)
  else row.failures.push(...compare(program, ws.report ?? { ...dropIn.report, warnings: [] }, dropIn.report))
  return row
}

const figuresOf = (report) =>
  report === undefined
    ? '-'
    : [
        ...Object.entries(report.figures).map(([name, value]) => `${value.toLocaleString('en')} ${name}`),
        `${(report.cpuMs / 1000).toFixed(1)} s of CPU`,
        `${String(report.memory.peakMb)} MB, ${String(report.memory.heapMb)} MB of heap`,
      ].join('; ')

function printRow(program, row, began) {
  const { server = 0, client = 0 } = row.dropIn?.carried ?? {}
  print(`${row.failures.length === 0 ? 'ok    ' : 'FAILED'} ${program.name} (${seconds(began)})`)
  print(
    `         ws:      ${row.ws === undefined && program.wsFails !== undefined ? `fails: ${program.wsFails}` : figuresOf(row.ws)}`,
  )
  if (row.dropIn !== undefined) {
    print(
      `         drop-in: ${figuresOf(row.dropIn)}; carried ${String(server)} as the server, ${String(client)} as the client`,
    )
  }
  for (const failure of row.failures) print(`    ${failure.replaceAll('\n', '\n    ')}`)
}

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      'ws-only': { type: 'boolean', default: false },
      tarball: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return print(HELP)
  const programs = choose(values)
  if (values.list) return print(programs.map(({ name }) => name).join('\n'))
  const isQuick = programs.every(({ quick }) => quick === true)
  const trees = {
    ws: installTimed({ isQuick, tarball: null }, 'with ws'),
    dropIn: values['ws-only']
      ? null
      : installTimed(
          { isQuick, tarball: values.tarball === undefined ? packDropIn() : path.resolve(values.tarball) },
          'with the drop-in',
        ),
  }
  const results = {}
  for (const program of programs) {
    const began = performance.now()
    const row = await tryProgram(program, trees)
    printRow(program, row, began)
    results[program.name] = { versions: versionsOf(program.packages, trees.ws), ...row }
  }
  writeFileSync(path.join(CACHE, 'results.json'), JSON.stringify(results, null, 1))
  const failed = Object.entries(results).filter(([, { failures }]) => failures.length > 0)
  print(`${String(programs.length - failed.length)} of ${String(programs.length)} programs pass`)
  if (failed.length > 0) {
    print(`failed: ${failed.map(([name]) => name).join(', ')}`)
    process.exitCode = 1
  }
}

await main()
