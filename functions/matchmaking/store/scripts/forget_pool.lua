-- Remove the keys of a deleted pool, once its queues are forgotten and all ends of its tickets are relayed. Marks of ended tickets go by themselves.
--
-- KEYS  1 pool:{p}:tickets   2 pool:{p}:alive   3 pool:{p}:counters   4 pool:{p}:outbox
-- ARGV  1 request
-- Reply {request, 1 if it is gone, 0 if queues or ends are left}
if redis.call('EXISTS', KEYS[3]) == 1 then return {ARGV[1], 0} end
if redis.call('XLEN', KEYS[4]) > 0 then return {ARGV[1], 0} end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
return {ARGV[1], 1}
