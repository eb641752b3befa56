-- How do these tickets stand in their queue?
--
-- KEYS  1 …:waiting   2 …:reasons   3 …:statistics
-- ARGV  1 request  2… tickets
-- Reply {request, length, mean wait ms ('' = unknown), then for each ticket: position (0 = no longer waiting), reason ('' = unknown)}
local reply = {ARGV[1], redis.call('ZCARD', KEYS[1]), redis.call('HGET', KEYS[3], 'mean_wait_ms') or ''}
for i = 2, #ARGV do
  local rank = redis.call('ZRANK', KEYS[1], ARGV[i])
  reply[#reply + 1] = rank and rank + 1 or 0
  reply[#reply + 1] = redis.call('HGET', KEYS[2], ARGV[i]) or ''
end
return reply
