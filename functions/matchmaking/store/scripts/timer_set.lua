-- Somebody must look at this match by then. Looking too early is harmless, looking too late is not, so a time is only ever brought forward, and always changed:
-- who finishes afterwards sees by the changed time that something came in between.
--
-- KEYS  1 timers:<n>
-- ARGV  1 request  2 match  3 in how many ms
-- Reply {request, match, due ms}
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3])
local before = redis.call('ZSCORE', KEYS[1], ARGV[2])
if before and tonumber(before) <= due then due = tonumber(before) - 1 end
redis.call('ZADD', KEYS[1], string.format('%d', due), ARGV[2])
return {ARGV[1], ARGV[2], string.format('%d', due)}
