/**
 * What wstest reads: one JSON file for each role.
 *
 * A whole run asks the suite for `*`, so that a case which the suite has and the expectation has not is noticed.
 */

/**
 * The suite as a client, which judges a server (`wstest -m fuzzingclient`).
 * @param {{ url: string, agent: string, outdir: string, cases: readonly string[] }} run
 */
export function fuzzingClientSpec({ url, agent, outdir, cases }) {
  return {
    outdir,
    servers: [{ agent, url }],
    cases,
    'exclude-cases': [],
    'exclude-agent-cases': {},
  }
}

/**
 * The suite as a server, which judges a client (`wstest -m fuzzingserver`).
 * @param {{ url: string, outdir: string, cases: readonly string[] }} run
 */
export function fuzzingServerSpec({ url, outdir, cases }) {
  return { url, outdir, cases, 'exclude-cases': [], 'exclude-agent-cases': {} }
}
