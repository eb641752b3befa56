-- Clear the session that a player seems to be in. The caller has seen that it does not hold the player (any more).
--
-- KEYS  1 player:{p}:ticket
-- ARGV  1 request  2 player  3 match
-- Reply {request, player, 1 | 0}
if redis.call('HGET', KEYS[1], 'session') ~= ARGV[3] then return {ARGV[1], ARGV[2], 0} end
redis.call('HDEL', KEYS[1], 'session')
return {ARGV[1], ARGV[2], 1}
