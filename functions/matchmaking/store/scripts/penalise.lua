-- One step up the ladder of cooldowns for a player who let a match down. Idempotent by the match.
--
-- KEYS  1 player:{p}:profile   2 player:{p}:seen
-- ARGV  1 request  2 player  3 event id  4 pool  5 forgive one step each ms  6… the ladder, ms
-- Reply {request, player, ms from now until the player may queue in this pool again}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local field = 'cooldown:' .. ARGV[4]
local steps, since, ends = string.match(redis.call('HGET', KEYS[1], field) or '0 0 0', '^(%d+) (%d+) (%d+)$')
steps, since, ends = tonumber(steps), tonumber(since), tonumber(ends)
if not redis.call('ZSCORE', KEYS[2], ARGV[3]) then
  steps = math.max(0, steps - math.floor((now - since) / tonumber(ARGV[5])))
  local rung = tonumber(ARGV[math.min(6 + steps, #ARGV)])
  ends = math.max(ends, now + rung)
  redis.call('HSET', KEYS[1], field, string.format('%d %d %d', steps + 1, now, ends))
  redis.call('HINCRBY', KEYS[1], 'count:declined', 1)
  redis.call('ZADD', KEYS[2], now, ARGV[3])
  redis.call('EXPIRE', KEYS[2], 86400)
end
return {ARGV[1], ARGV[2], math.max(0, ends - now)}
