-- The socket is gone. The ticket stays: its place is kept for the pool's grace.
--
-- KEYS  1 player:{p}:connection
-- ARGV  1 request  2 player  3 generation
-- Reply {request, player, 1 if this was still the live connection, else 0}
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[3] then return {ARGV[1], ARGV[2], 0} end
redis.call('HDEL', KEYS[1], 'gateway')
return {ARGV[1], ARGV[2], 1}
