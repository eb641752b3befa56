-- Make this the player's one live connection: an older one can no longer act, and its gateway is told to close it.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket   3 player:{p}:outbox
-- ARGV  1 request  2 player  3 gateway  4 '1' if the client resumes its session, else ''
-- Reply {request, player, generation, seq, ticket, pool, region, mode, match_seq, match_data}
local previous = redis.call('HGET', KEYS[1], 'gateway')
local generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'gateway', ARGV[3])
-- Operation ids are the client session's own; a session that starts anew may use them again.
if ARGV[4] == '' then redis.call('HDEL', KEYS[2], 'done') end
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('EXPIRE', KEYS[3], 86400)
if previous and previous ~= '' then
  redis.call('PUBLISH', 'gateway:' .. previous, '{"channel":"gateway:' .. previous .. '","message":{"type":"superseded","data":{"player":"' .. ARGV[2]
    .. '","generation":' .. generation .. '},"timestamp":""}}')
end
local seq = redis.call('HGET', KEYS[1], 'seq') or '0'
local held = redis.call('HMGET', KEYS[2], 'ticket', 'pool', 'region', 'mode', 'match_seq', 'match_data')
return {ARGV[1], ARGV[2], generation, seq, held[1] or '', held[2] or '', held[3] or '', held[4] or '', held[5] or '', held[6] or ''}
