import type { StoredClaim } from '../backplane/backplane.js'
import { MAX_CLOCK_SKEW_MS } from '../backplane/envelope.js'
import type { BrokerNames } from './broker.js'

/** Runs a script of Redis on one key. */
export type Evaluate = (script: string, key: string, args: readonly string[]) => Promise<unknown>

// The value of a key is the time of the claim, a space, and the node. Times are smaller than 2^53: numbers of Lua hold them. What
// can be no time was not written by Hawser, and is replaced like any other claim.

/** @returns the time of the claim, or an empty string if another one stands */
const CLAIM = `
local held = redis.call('GET', KEYS[1])
local time = tonumber(ARGV[2])
if held then
  if ARGV[3] == '0' then return '' end
  local before = tonumber(string.match(held, '^%d+'))
  if before and before >= time and before <= tonumber(ARGV[5]) then time = before + 1 end
end
local text = string.format('%.0f', time)
redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1], 'PX', ARGV[4])
return text`

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/** A claim that is gone, as after a loss of data, is made again. One of another node stands. */
const RENEW = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

const valueOf = ({ node, time }: StoredClaim): string => `${String(time)} ${node}`

/** Names as keys of Redis that expire. */
export const redisNames = (evaluate: Evaluate): BrokerNames => ({
  async claim(key, { node, time }, mayReplace, ttlMs) {
    const args = [node, String(time), mayReplace ? '1' : '0', String(Math.ceil(ttlMs))]
    args.push(String(Date.now() + MAX_CLOCK_SKEW_MS))
    const claimed = Number(String(await evaluate(CLAIM, key, args)) || NaN)
    return Number.isSafeInteger(claimed) ? claimed : null
  },
  release: (key, claim) => evaluate(RELEASE, key, [valueOf(claim)]),
  renew: (key, claim, ttlMs) => evaluate(RENEW, key, [valueOf(claim), String(Math.ceil(ttlMs))]),
})
