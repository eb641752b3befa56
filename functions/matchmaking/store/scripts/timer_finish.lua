-- We have looked at the match; it needs nothing until then. If its time was changed since we began, somebody saw a newer session than we did, or will: then the
-- time is brought forward instead, and whoever takes it up sees the latest.
--
-- KEYS  1 timers:<n>
-- ARGV  1 request  2 match  3 due ms as we left it  4 next due ms ('' = never)
-- Reply {request, match, 1 | 0}
local held = redis.call('ZSCORE', KEYS[1], ARGV[2])
if held and tonumber(held) == tonumber(ARGV[3]) then
  if ARGV[4] == '' then redis.call('ZREM', KEYS[1], ARGV[2]) else redis.call('ZADD', KEYS[1], ARGV[4], ARGV[2]) end
  return {ARGV[1], ARGV[2], 1}
end
if ARGV[4] ~= '' then
  local due = tonumber(ARGV[4])
  if held then due = math.min(due, tonumber(held) - 1) end
  redis.call('ZADD', KEYS[1], string.format('%d', due), ARGV[2])
end
return {ARGV[1], ARGV[2], 0}
