/** Draws a specification of Vega as SVG. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** @param spec of Vega @param file where the SVG goes, in a folder that is made */
export async function drawSpec(spec, file) {
  const { parse, View } = await import('vega')
  const view = new View(parse(spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  writeFileSync(file, `${svg}\n`)
}
