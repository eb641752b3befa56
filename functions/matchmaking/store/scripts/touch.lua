-- These tickets' players gave a sign of life. Only tickets that still wait are touched.
--
-- KEYS  1 pool:{p}:alive
-- ARGV  1 request  2… tickets
-- Reply {request, how many waited}
local time = redis.call('TIME')
local now, touched = time[1] * 1000 + math.floor(time[2] / 1000), 0
for i = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i])
    touched = touched + 1
  end
end
return {ARGV[1], touched}
