-- Remove the keys of a queue that is declared no longer, if nothing waits in it and no matcher follows its log (whose numbers begin anew). A ticket
-- that comes later makes the queue known again.
--
-- KEYS  1 …:waiting   2 …:log   3 …:reasons   4 …:workers   5 …:statistics   6 pool:{p}:counters   7 …:windows
-- ARGV  1 request  2 region:mode  3 a matcher without a heartbeat for so long is gone, ms
-- Reply {request, 1 if it is gone, else 0}
if redis.call('ZCARD', KEYS[1]) > 0 then return {ARGV[1], 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZCOUNT', KEYS[4], now - tonumber(ARGV[3]), '+inf') > 0 then return {ARGV[1], 0} end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[7])
redis.call('HDEL', KEYS[6], ARGV[2])
return {ARGV[1], 1}
