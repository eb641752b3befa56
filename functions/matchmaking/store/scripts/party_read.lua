-- A party whole; being looked at keeps it.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 life of an unused party, s
-- Reply {request, now ms, {field, value, …}} - empty if there is none
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local fields = redis.call('HGETALL', KEYS[1])
if #fields > 0 and redis.call('TTL', KEYS[1]) < ARGV[2] / 2 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {ARGV[1], now, fields}
