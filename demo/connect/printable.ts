/**
 * What a terminal may take for a command, or for the direction of the text: C0 but for tab and line feed, DEL, C1, and the
 * characters that turn the direction of text. A peer that sends them would otherwise write where it wants, or into the
 * clipboard.
 */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A text of a peer, safe to write to a terminal: what is not safe is shown as `\u001b`. */
export const printable = (text: string): string => text.replace(UNSAFE, escape)
