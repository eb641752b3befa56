-- What a player's outbox holds after a number, and whether the connection that asks is still the live one.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:outbox
-- ARGV  1 request  2 player  3 after this number
-- Reply {request, player, generation, seq of the latest event, {outbox entries}}
local now = redis.call('HMGET', KEYS[1], 'generation', 'seq')
return {ARGV[1], ARGV[2], now[1] or '0', now[2] or '0', redis.call('XRANGE', KEYS[2], '(' .. ARGV[3] .. '-0', '+')}
