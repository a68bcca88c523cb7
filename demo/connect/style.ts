/** The colours of the terminal, or none. */
export interface Style {
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${String(on)}m${text}\x1b[${String(off)}m`

const COLOURED: Style = {
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  cyan: sgr(36, 39),
}

const same = (text: string): string => text
/** Text as it is. */
export const PLAIN: Style = { dim: same, red: same, green: same, yellow: same, cyan: same }

/** What tells whether a stream is a terminal, and whether it shows colours. */
export interface MaybeTerminal {
  readonly isTTY?: boolean
  hasColors?(env: object): boolean
}

/**
 * The colours for a stream. NO_COLOR (no-color.org) turns them off whatever its value, unless it is empty; so does what Node
 * looks at, `TERM=dumb` among it, and a stream that is not a terminal.
 */
export function styleFor(stream: MaybeTerminal, env: Readonly<Record<string, string | undefined>>): Style {
  const { NO_COLOR: noColor = '', ...others } = env
  // Node 20 takes an empty NO_COLOR for one that is set.
  return stream.isTTY === true && noColor === '' && stream.hasColors?.(others) === true ? COLOURED : PLAIN
}
