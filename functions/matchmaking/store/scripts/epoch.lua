-- The name of the store's history. It changes when what is stored may have been rolled back: the store is empty, runs in other processes than it did, or
-- the caller saw its replication go backwards.
--
-- KEYS  1 epoch
-- ARGV  1 request  2 which processes the store consists of  3 a new name  4 the name of the history that the caller saw roll back ('' = none)
-- Reply {request, name}
local known = redis.call('HMGET', KEYS[1], 'name', 'processes')
if known[1] and known[2] == ARGV[2] and known[1] ~= ARGV[4] then return {ARGV[1], known[1]} end
redis.call('HSET', KEYS[1], 'name', ARGV[3], 'processes', ARGV[2])
return {ARGV[1], ARGV[3]}
