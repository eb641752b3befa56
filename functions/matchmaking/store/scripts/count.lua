-- Add a matcher's counts to a queue's statistics. Idempotent: a batch whose number is not above the latest one was counted before.
--
-- KEYS  1 …:statistics   2 pool:{p}:counted:<matcher>
-- ARGV  1 request  2 matcher  3 batch number, rising  4 how long to remember it, ms  then field, number, field, number, …
-- Reply {request, matcher, 1 if counted now, else 0}
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[3]) then return {ARGV[1], ARGV[2], 0} end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {ARGV[1], ARGV[2], 1}
