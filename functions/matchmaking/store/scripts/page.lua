-- One page of a queue for a matcher that starts, oldest first, and where the change log stands. Pages need not be atomic together: what changes
-- after the first page's log number is in the log.
--
-- KEYS  1 …:waiting   2 pool:{p}:tickets   3 pool:{p}:counters
-- ARGV  1 request  2 region:mode  3 from this enqueue time on, ms ('-inf' at first)  4 page size
-- Reply {request, log number, now ms, {ticket, enqueued, ticket, enqueued, …}, {record | false, …}}
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local n = redis.call('HGET', KEYS[3], ARGV[2]) or '0'
local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[4]))
local records = {}
for first = 1, #found, 8000 do
  local ids = {}
  for i = first, math.min(first + 7998, #found), 2 do ids[#ids + 1] = found[i] end
  local part = redis.call('HMGET', KEYS[2], unpack(ids))
  for i = 1, #ids do records[#records + 1] = part[i] end
end
return {ARGV[1], n, now, found, records}
