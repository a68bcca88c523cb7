/** The table of docs/whatwg.md: the files of each case, and what holds. */
import type { WptCase } from './world.js'

const code = (text: string): string => `\`${text}\``

/** Files as a list, those that are numbered one after the other as a range. */
export function showFiles(files: readonly string[]): string {
  const shown: string[] = []
  for (let i = 0; i < files.length; i++) {
    const first = /^(.*\/)(\d{3})$/.exec(files[i] ?? '')
    let last = i
    if (first !== null) {
      const [, folder = '', number = ''] = first
      const at = (step: number): string => `${folder}${String(Number(number) + step).padStart(3, '0')}`
      while (files[last + 1] === at(last + 1 - i)) last++
    }
    const range = last > i ? ` to ${code((files[last] ?? '').slice(-3))}` : ''
    shown.push(`${code(files[i] ?? '')}${range}`)
    i = last
  }
  return shown.join(', ')
}

/** The files of a list as {@link showFiles} writes it. */
export const readFiles = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`(?: to `(\d{3})`)?/g)].flatMap(([, first = '', last]) => {
    if (last === undefined) return [first]
    const [folder, from] = [first.slice(0, -3), Number(first.slice(-3))]
    return Array.from(
      { length: Number(last) - from + 1 },
      (_, i) => `${folder}${String(from + i).padStart(3, '0')}`,
    )
  })

/** All files that a case stands for. */
export const filesOf = ({ files, secure }: WptCase): readonly string[] =>
  secure === undefined || secure === true ? files : [...files, ...secure]

/** The rows of the table: what holds, and the files that ask for it. */
export const rowsOf = (cases: readonly WptCase[]): string[][] =>
  cases.map((one) => [
    `${one.title}${one.secure === undefined ? '' : ' (also over TLS)'}`,
    showFiles(filesOf(one)),
  ])
