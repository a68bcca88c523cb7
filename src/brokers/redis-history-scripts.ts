/**
 * The scripts of a history in Redis. A group has two keys: a hash with `epoch` and `newest` (the offset of the newest message),
 * and a stream, whose ids are `offset-milliseconds` and whose entries have one field: `t` for text, or `b` for bytes.
 *
 * The hash outlives the stream. Without the hash a stream is worth nothing, and a new epoch begins; without the stream the hash
 * still says what the newest offset was, so that what was lost shows.
 */

/**
 * KEYS: the hash, the stream. ARGV, of both scripts: 1 how a new epoch begins, 2 `maxMessages`, 3 `maxAgeMs`, 4 for how many
 * milliseconds the hash lives on, 5 and 6 the highest position that the caller has seen, 7 the field of the caller.
 *
 * A position that was seen and is not reached means that this Redis has lost the end of the history, as at a restart from an
 * older snapshot or at a failover to a replica that was late: what was kept cannot be told apart from what is to come.
 */
const HEAD = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function foreign(key)
  return redis.error_reply('FOREIGN the key ' .. key .. ' holds something else than a history of Hawser')
end
local function idOf(offset, ms) return string.format('%.0f-%.0f', offset, ms) end
local fields = redis.call('HMGET', KEYS[1], 'epoch', 'newest', 'trim', ARGV[7])
local epoch, newest = fields[1], fields[2]
if epoch and newest and #epoch <= 64 and #newest <= 15 and string.match(newest, '^%d+$') then
  newest = tonumber(newest)
elseif epoch or newest or redis.call('EXISTS', KEYS[1]) == 1 then
  return foreign(KEYS[1])
end
local isNew = not epoch or (epoch == ARGV[5] and newest < tonumber(ARGV[6]))
if isNew then
  local kind = redis.call('TYPE', KEYS[2]).ok
  if kind ~= 'none' and kind ~= 'stream' then return foreign(KEYS[2]) end
  redis.call('UNLINK', KEYS[1], KEYS[2])
  epoch = string.format('%s%x%05x', ARGV[1], tonumber(time[1]), tonumber(time[2]))
  newest = 0
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'newest', '0')
end
local function offsetAndTime(entry)
  local offset, ms = string.match(entry[1], '^(%d+)-(%d+)$')
  return tonumber(offset), tonumber(ms)
end
-- The offset of the oldest message that counts. Times rise with offsets, so it is searched by halves.
local function findOldest()
  local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not head then return newest + 1 end
  local since = now - tonumber(ARGV[3])
  local offset, ms = offsetAndTime(head)
  local low, high = math.max(offset, newest - tonumber(ARGV[2]) + 1), newest
  if ms >= since then return low end
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', KEYS[2], idOf(middle, 0), '+', 'COUNT', 1)[1]
    if not entry or select(2, offsetAndTime(entry)) >= since then high = middle - 1 else low = middle + 1 end
  end
  return low
end
`

/**
 * Appends messages. ARGV: 8 the number of this call of the caller, 9 for how many milliseconds the stream lives on, then for each
 * message its field and its bytes.
 *
 * Some clients send a command again when its answer was lost. So the hash has the last call of each caller, as `call offset`, and
 * one that was seen appends nothing.
 *
 * Entries are trimmed by whole nodes of the stream (`~`), which is cheaper and leaves at most one node, of about 4 KB, more.
 * @returns the epoch, and the offset of the first of these messages; empty: they came too late, after later ones
 */
export const APPEND = `${HEAD}
local call, offset = string.match(not isNew and fields[4] or '', '^(%d+) (%d+)$')
if call and tonumber(ARGV[8]) <= tonumber(call) then return {epoch, ARGV[8] == call and offset or ''} end
if not call and redis.call('HLEN', KEYS[1]) > 128 then
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(name, 1, 2) == 'w:' then redis.call('HDEL', KEYS[1], name) end
  end
end
local first = string.format('%.0f', newest + 1)
for i = 10, #ARGV, 2 do
  newest = newest + 1
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], idOf(newest, now), ARGV[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[1], 'newest', string.format('%.0f', newest), ARGV[7], ARGV[8] .. ' ' .. first)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[9])
if now >= (tonumber(not isNew and fields[3] or '') or 0) then
  redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', string.format('%.0f', newest - findOldest() + 1))
  redis.call('HSET', KEYS[1], 'trim', string.format('%.0f', now + math.max(1000, tonumber(ARGV[3]) / 8)))
end
return {epoch, first}`

/**
 * Reads. ARGV: 8 the offset after which, 9 how many messages at most, 10 how many bytes: one message more may be given.
 * @returns the epoch, the newest and the oldest offset, and for each message its id, its field and its bytes
 */
export const READ = `${HEAD}
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local oldest = findOldest()
local reply = {epoch, string.format('%.0f', newest), string.format('%.0f', oldest)}
local from, left, bytes, count = math.max(tonumber(ARGV[8]) + 1, oldest), tonumber(ARGV[9]), 0, 1
while left > 0 and from <= newest and bytes < tonumber(ARGV[10]) do
  local entries = redis.call('XRANGE', KEYS[2], idOf(from, 0), '+', 'COUNT', math.min(count, left))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local field, data = entry[2][1], entry[2][2]
    if #entry[2] ~= 2 then return foreign(KEYS[2]) end
    reply[#reply + 1] = entry[1]
    reply[#reply + 1] = field
    reply[#reply + 1] = data
    bytes = bytes + #data
    left = left - 1
    from = offsetAndTime(entry) + 1
  end
  count = math.min(count * 2, 64)
end
return reply`
