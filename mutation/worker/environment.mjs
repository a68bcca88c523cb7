/** The environment of the tests: that of Node, which hands the globals and the events of each file to the run at hand. */
import { TestEnvironment } from 'jest-environment-node'
import { session } from './session.mjs'

export default class MutationEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context)
    session.run.enter(this.global)
  }

  /** @param {{ name: string }} event of jest-circus, which waits for what this returns */
  handleTestEvent(event) {
    return session.run?.handle(event)
  }
}
