-- Take up what is due by pushing its time ahead: if we die over it, somebody else takes it up then.
--
-- KEYS  1 timers:<n>
-- ARGV  1 request  2 ahead ms  3 at most
-- Reply {request, match, new due ms, match, …}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {ARGV[1]}
for i, match in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local due = string.format('%d', now + tonumber(ARGV[2]))
  redis.call('ZADD', KEYS[1], due, match)
  reply[#reply + 1] = match
  reply[#reply + 1] = due
end
return reply
