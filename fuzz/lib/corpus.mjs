/** The inputs that are kept in the repository: a file for each target, and a line for each input, in hexadecimal digits. */
import { readFile, writeFile } from 'node:fs/promises'

/** @param {string} file @returns {Promise<Buffer[]>} none where there is no file */
export async function readCorpus(file) {
  const text = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line, i) => {
    const bytes = Buffer.from(line, 'hex')
    if (bytes.toString('hex') !== line) throw new Error(`${file}:${String(i + 1)} is not hexadecimal`)
    return bytes
  })
}

/** The shortest first. @param {string} file @param {readonly Buffer[]} inputs */
export async function writeCorpus(file, inputs) {
  const lines = inputs
    .map((input) => input.toString('hex'))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  await writeFile(file, lines.map((line) => `${line}\n`).join(''))
}
