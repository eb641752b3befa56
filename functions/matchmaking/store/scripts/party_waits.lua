-- The party's ticket was seen waiting: say so to the members. Idempotent by the ticket's id.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 ticket  3 since when, ms
-- Reply {request, 1 if that is news, else 0}
local state = redis.call('HMGET', KEYS[1], 'ticket', 'since')
if state[1] ~= ARGV[2] or state[2] then return {ARGV[1], 0} end
redis.call('HSET', KEYS[1], 'since', ARGV[3], 'reason', 'queued')
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {ARGV[1], 1}
