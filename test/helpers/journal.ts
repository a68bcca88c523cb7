/** A record of events, one line each, and the promises that wait for a line. */
export class Journal {
  readonly lines: string[] = []
  private readonly looks = new Set<() => void>()

  add(line: string): void {
    this.lines.push(line)
    for (const look of [...this.looks]) look()
  }

  /** Waits until there is such a line, or so many. */
  until(wanted: string | RegExp | number): Promise<string[]> {
    const isThere = (): boolean =>
      typeof wanted === 'number'
        ? this.lines.length >= wanted
        : this.lines.some((line) => (typeof wanted === 'string' ? line === wanted : wanted.test(line)))
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isThere()) return
        this.looks.delete(look)
        resolve(this.lines)
      }
      this.looks.add(look)
      look()
    })
  }
}
