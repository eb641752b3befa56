-- The party's ticket can never wait (again): forget it. The caller has seen the pool's mark.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 ticket  3 reason
-- Reply {request, 1 if it was named, else 0}
local state = redis.call('HMGET', KEYS[1], 'ticket', 'since')
if state[1] ~= ARGV[2] then return {ARGV[1], 0} end
redis.call('HDEL', KEYS[1], 'ticket', 'pool', 'region', 'mode', 'queue_op', 'since')
if state[2] then -- else nobody was told of it
  redis.call('HSET', KEYS[1], 'reason', ARGV[3])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
return {ARGV[1], 1}
