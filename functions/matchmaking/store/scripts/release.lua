-- Clear a reservation whose ticket can never wait (again). The caller has left a mark in the pool, or was told that there is one.
--
-- KEYS  1 player:{p}:ticket
-- ARGV  1 request  2 player  3 ticket
-- Reply {request, player, 1 | 0}
if redis.call('HGET', KEYS[1], 'ticket') ~= ARGV[3] then return {ARGV[1], ARGV[2], 0} end
redis.call('HDEL', KEYS[1], 'ticket', 'pool', 'region', 'mode', 'op', 'leader')
redis.call('EXPIRE', KEYS[1], 86400)
return {ARGV[1], ARGV[2], 1}
