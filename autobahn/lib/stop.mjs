/** Ends the run with one line that says what to do: printed without a stack. */
export class Stop extends Error {
  /**
   * @param {string} message one line
   * @param {number} [exitCode] 1: the run failed; 2: it could not begin
   */
  constructor(message, exitCode = 1) {
    super(message)
    this.name = 'Stop'
    this.exitCode = exitCode
  }
}
