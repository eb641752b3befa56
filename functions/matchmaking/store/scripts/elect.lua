-- Let one gateway export the metrics that all share: the first to ask holds the lease for as long as it asks again in time.
--
-- KEYS  1 exporter
-- ARGV  1 request  2 gateway  3 lease ms  4 '1' to give it up
-- Reply {request, gateway, 1 if it holds the lease, else 0}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then return {ARGV[1], ARGV[2], 0} end
if ARGV[4] == '1' then
  redis.call('DEL', KEYS[1])
  return {ARGV[1], ARGV[2], 0}
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {ARGV[1], ARGV[2], 1}
