-- A matcher's heartbeat on a queue; the reply tells it which of how many it is, so that matchers divide the queue.
--
-- KEYS  1 …:workers
-- ARGV  1 request  2 matcher  3 forget others after ms  4 '1' to sign off
-- Reply {request, rank from 0, matchers}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[2])
  return {ARGV[1], 0, redis.call('ZCARD', KEYS[1])}
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
redis.call('ZADD', KEYS[1], now, ARGV[2])
-- By name, not by heartbeat: the order must not change with every beat.
local names, rank = redis.call('ZRANGE', KEYS[1], 0, -1), 0
for _, name in ipairs(names) do
  if name < ARGV[2] then rank = rank + 1 end
end
return {ARGV[1], rank, #names}
