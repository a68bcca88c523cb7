#!/usr/bin/env node
/** `npm run interop`: Hawser against other implementations, both ways round. See README.md in this folder. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { CACHE, install, readManifests, versionOf } from './lib/manifests.mjs'
import { writePage } from './lib/page.mjs'
import { runPeer } from './lib/run-peer.mjs'

const HELP = `node interop/run.mjs [--quick] [--only NAME,...] [--cases PATTERN] [--stream] [--check] [--page] [--list]
  --quick   the peers that are quick to install, without the page
  --only    peers by name, without the page
  --cases   cases whose id the regular expression matches, without the page
  --stream  Hawser reads and writes by streams, not by handles, without the page
  --check   all peers, without the page
  --page    writes docs/interop.md of the results of earlier runs, and runs nothing
  --list    names the peers
A run of all peers writes docs/interop.md. Exit code 1: a peer was not installed, or did what is not expected of it.`

const RESULTS = path.join(CACHE, 'results.json')

const print = (line) => process.stdout.write(`${line}\n`)
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

function readResults() {
  try {
    return JSON.parse(readFileSync(RESULTS, 'utf8'))
  } catch {
    return {}
  }
}

function summary(results) {
  const counts = new Map()
  for (const { outcome } of results) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  return [...counts].map(([outcome, count]) => `${String(count)} ${outcome}`).join(', ')
}

/** @returns {Promise<string[]>} what is not as it should be */
async function runManifest(manifest, peers, options, store) {
  const failures = []
  const began = performance.now()
  let folder
  try {
    folder = install(manifest)
  } catch (error) {
    print(`${manifest.folder}: not installed: ${error.message}`)
    return [`${manifest.folder}: not installed`]
  }
  print(`${manifest.folder}: installed (${seconds(began)})`)
  for (const peer of peers) {
    for (const role of peer.roles) {
      const start = performance.now()
      const results = await runPeer(peer, folder, role, options).catch((error) => [
        { id: 'start', outcome: 'unexpected', note: error.stack },
      ])
      print(`  ${peer.name} as the ${role}: ${summary(results)} (${seconds(start)})`)
      for (const { id, note } of results.filter(({ outcome }) => outcome === 'unexpected')) {
        print(`    ${id}: ${note}`)
        failures.push(`${peer.name} as the ${role}: ${id}`)
      }
      store[`${peer.name} ${role}`] = { version: versionOf(peer, folder), results }
    }
  }
  return failures
}

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      cases: { type: 'string' },
      stream: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const manifests = readManifests()
  const names = manifests.flatMap(({ peers }) => peers.map(({ name }) => name))
  if (values.help) return print(HELP)
  if (values.list) return print(names.join('\n'))
  const store = readResults()
  if (!values.page) {
    const only = values.only?.split(',')
    const unknown = only?.filter((name) => !names.includes(name)) ?? []
    if (unknown.length > 0) throw new Error(`no peer: ${unknown.join(', ')}. There are ${names.join(', ')}`)
    const options = { pattern: new RegExp(values.cases ?? ''), directIo: !values.stream }
    const failures = []
    for (const manifest of manifests) {
      const peers = manifest.peers.filter(({ name }) => only?.includes(name) ?? true)
      if (peers.length === 0 || (values.quick && !manifest.quick)) continue
      failures.push(...(await runManifest(manifest, peers, options, store)))
    }
    if (values.cases === undefined && !values.stream) {
      mkdirSync(CACHE, { recursive: true })
      writeFileSync(RESULTS, JSON.stringify(store, null, 1))
    }
    print(failures.length === 0 ? 'as expected' : `unexpected:\n${failures.join('\n')}`)
    if (failures.length > 0) {
      process.exitCode = 1
      return
    }
    const isPart = values.quick || values.stream || only !== undefined || values.cases !== undefined
    if (isPart || values.check) return
  }
  await writePage(manifests, store)
  print('docs/interop.md is written')
}

await main()
