-- These players are connected; players whose gateway has not said so for a while are not. The same for gateways: these live.
--
-- KEYS  1 presence or gateways
-- ARGV  1 request  2 forget after ms  3… players or gateways
-- Reply {request, how many there are}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
return {ARGV[1], redis.call('ZCARD', KEYS[1])}
