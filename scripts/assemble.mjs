/**
 * Assembles src/native/simd.wat, and writes the binary as base64 into src/native/simd-binary.ts, which is checked in: the
 * build, and whoever installs from the sources, need no assembler.
 *
 * node scripts/assemble.mjs [--check]     --check: writes nothing, and fails if the file is not what the source gives
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const inRoom = (name) => fileURLToPath(new URL(`../src/native/${name}`, import.meta.url))

/** @param {string} source WebAssembly text @returns {Promise<string>} the module, in base64 */
async function assemble(source) {
  const { parseWat } = await wabt()
  const module = parseWat('simd.wat', source, { simd: true })
  try {
    module.resolveNames()
    module.validate({ simd: true })
    return Buffer.from(module.toBinary({}).buffer).toString('base64')
  } finally {
    module.destroy()
  }
}

const binary = await assemble(await readFile(inRoom('simd.wat'), 'utf8'))
const head = '/** Written by scripts/assemble.mjs: simd.wat as a module of WebAssembly, in base64. */'
const text = `${head}\nexport const SIMD_BINARY =\n  '${binary}'\n`
const file = inRoom('simd-binary.ts')
if (!process.argv.includes('--check')) {
  await writeFile(file, text)
  console.log(`simd-binary.ts: ${String(Buffer.from(binary, 'base64').length)} bytes of WebAssembly`)
} else if ((await readFile(file, 'utf8')) !== text) {
  console.error('simd-binary.ts is not what simd.wat gives: run node scripts/assemble.mjs')
  process.exitCode = 1
}
