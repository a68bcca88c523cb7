/** What the nodes have in common: arguments, the groups of a connection, and how they talk to the runner. */
import process from 'node:process'

const given = Object.fromEntries(process.argv.slice(2).map((text) => text.split(/=(.*)/s, 2)))

/** The URL of the broker; undefined: this process is alone. */
export const { broker, adapter } = given

/** The groups that the load generator wants a connection to be in: `count` of them from `first` on. */
export function* groupsOf(query) {
  const [first, count, of] = ['first', 'count', 'of'].map((name) => Number(query.get(name)))
  for (let i = 0; i < count; i++) yield nameOf((first + i) % of)
}

/** The group that a message is for is its first four characters. */
export const groupFor = (text) => text.slice(0, 4)
const nameOf = (group) => String(group).padStart(4, '0')

export const ready = (port) => console.log(JSON.stringify({ port }))
