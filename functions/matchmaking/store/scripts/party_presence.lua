-- Which members are connected, as a gateway sees it; the others are away since the first time that this was noticed.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  then for each member: player, '1' if connected else ''
-- Reply {request, 1 if anything changed else 0}
local changed = 0
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], 'm:' .. ARGV[i]) == 1 then
    if ARGV[i + 1] == '1' then
      changed = math.max(changed, redis.call('HDEL', KEYS[1], 'a:' .. ARGV[i]))
    else
      changed = math.max(changed, redis.call('HSETNX', KEYS[1], 'a:' .. ARGV[i], now))
    end
  end
end
if changed == 1 then
  redis.call('HSET', KEYS[1], 'reason', 'presence')
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
return {ARGV[1], changed}
