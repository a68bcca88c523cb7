import { channel } from 'node:diagnostics_channel'

/**
 * What observers of a process may subscribe to, by `node:diagnostics_channel`. Nothing is made for a channel that
 * nobody listens to.
 *
 * | channel | message |
 * |---|---|
 * | `hawser:upgrade` | `{ url, remoteAddress, isAccepted }`: an upgrade was answered |
 * | `hawser:open` | `{ socket }`: before `onOpen` |
 * | `hawser:message` | `{ socket, data }`: before its handler |
 * | `hawser:close` | `{ socket, info }`: before `onClose` |
 * | `hawser:error` | `{ socket, error }`: of the peer, the network or a handler |
 */
export const CHANNELS = {
  upgrade: channel('hawser:upgrade'),
  open: channel('hawser:open'),
  message: channel('hawser:message'),
  close: channel('hawser:close'),
  error: channel('hawser:error'),
} as const
