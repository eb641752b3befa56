-- Is a binding true? If the party knows nothing of it, leave a mark, so that an admission that comes late is refused.
--
-- KEYS  1 party:{id}:state   2 party:{id}:gone:<membership>
-- ARGV  1 request  2 player  3 membership  4 how long to keep the mark, ms
-- Reply {request, player, in | gone, why it ended ('lost' = never heard of it)}
if redis.call('HGET', KEYS[1], 'm:' .. ARGV[2]) == ARGV[3] then return {ARGV[1], ARGV[2], 'in', ''} end
local reason = redis.call('GET', KEYS[2])
if reason then return {ARGV[1], ARGV[2], 'gone', reason} end
redis.call('SET', KEYS[2], 'lost', 'PX', ARGV[4])
return {ARGV[1], ARGV[2], 'gone', 'lost'}
