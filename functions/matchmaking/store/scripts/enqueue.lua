-- Let a reserved ticket wait: the second half of joining. Idempotent by the ticket's id.
--
-- KEYS  1 …:waiting   2 pool:{p}:tickets   3 …:log   4 pool:{p}:alive   5 pool:{p}:counters   6 …:ended:<ticket>   7 …:statistics
-- ARGV  1 request  2 leader  3 ticket  4 record  5 region  6 mode  7 enqueue time in ms ('' = now)  8 log cap  9 latest join, ms
-- Reply {request, leader, status, position, length, enqueued ms, mean wait ms ('' = unknown)}
--       waiting    it waits (position counts from 1)
--       matched    it was matched meanwhile: go on, the match is on its way
--       cancelled  it has ended, or comes too late: release the reservation
local ended = redis.call('GET', KEYS[6])
if ended then
  local status = 'cancelled'
  if string.sub(ended, 1, 2) == 'm:' then status = 'matched' end
  return {ARGV[1], ARGV[2], status, 0, 0, '', ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local enqueued, fresh = ARGV[7], false
if enqueued == '' then enqueued = string.format('%d', now) end
-- Marks of ended tickets are kept longer than this, so a ticket that nobody remembers can be refused by its age alone.
if now - tonumber(string.sub(ARGV[3], 1, 11), 16) <= tonumber(ARGV[9]) then
  fresh = redis.call('ZADD', KEYS[1], 'NX', enqueued, ARGV[3]) == 1
end
if fresh then
  local n = redis.call('HINCRBY', KEYS[5], ARGV[5] .. ':' .. ARGV[6], 1)
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
  redis.call('ZADD', KEYS[4], now, ARGV[3])
  redis.call('HINCRBY', KEYS[7], 'joined', 1)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], n .. '-0', '+', ARGV[3], 't', enqueued, 'r', ARGV[4])
else
  enqueued = redis.call('ZSCORE', KEYS[1], ARGV[3])
  if not enqueued then return {ARGV[1], ARGV[2], 'cancelled', 0, 0, '', ''} end
end
local mean = redis.call('HGET', KEYS[7], 'mean_wait_ms') or ''
return {ARGV[1], ARGV[2], 'waiting', redis.call('ZRANK', KEYS[1], ARGV[3]) + 1, redis.call('ZCARD', KEYS[1]), enqueued, mean}
