/** A value that Hawser's own calls return: it is never a reply, even where a short arrow function returns it. */
export abstract class NoReply {
  /** Makes the type nominal; it does not exist at run time. */
  declare private readonly isNoReply: true
}
