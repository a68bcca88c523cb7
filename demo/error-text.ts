import { types } from 'node:util'

/** What an error says, on its own; anything else that was thrown as text. */
export const errorText = (error: unknown): string =>
  types.isNativeError(error) ? error.message : String(error)
