-- Hand one event of a session to one player: number it, keep it in the outbox, publish it, and do what it means for the player. Idempotent by the event's id.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket   3 player:{p}:outbox   4 player:{p}:seen
-- ARGV  1 request  2 player  3 event id  4 match  5 ticket with which the player came  6 event type  7 data (JSON)  8 timestamp (RFC 3339)
--       9 channel  10 outbox cap  11 free | hold | requeue | ''  then, to requeue: 12 ticket  13 pool  14 region  15 mode  16 leader
-- Reply {request, player, seq} - seq 0 if it was delivered before, -1 if the match itself has not been delivered yet: try again after it has
-- @include note
if redis.call('ZSCORE', KEYS[4], ARGV[3]) then return {ARGV[1], ARGV[2], 0} end
local held = redis.call('HMGET', KEYS[2], 'ticket', 'session')
if held[1] and held[1] == ARGV[5] then return {ARGV[1], ARGV[2], -1} end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local time = redis.call('TIME')
redis.call('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -129)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[10], seq .. '-0', 'type', ARGV[6], 'data', ARGV[7], 'at', ARGV[8])
local mine = held[2] == ARGV[4]
if ARGV[11] == 'hold' then
  if not held[1] and not held[2] then redis.call('HSET', KEYS[2], 'session', ARGV[4]) end
elseif ARGV[11] ~= '' and mine then
  redis.call('HDEL', KEYS[2], 'session')
  if ARGV[11] == 'requeue' and not held[1] then
    redis.call('HSET', KEYS[2], 'ticket', ARGV[12], 'pool', ARGV[13], 'region', ARGV[14], 'mode', ARGV[15], 'op', '', 'leader', ARGV[16])
  end
end
note(KEYS[2], ARGV[5], string.match(ARGV[7], '"status":"([^"]*)"') or 'cancelled', string.match(ARGV[7], '"reason":"([^"]*)"') or ARGV[4])
if ARGV[11] == 'requeue' then note(KEYS[2], ARGV[12], 'requeued', ARGV[5]) end
-- A reservation never goes by itself.
if redis.call('HEXISTS', KEYS[2], 'ticket') == 1 then redis.call('PERSIST', KEYS[2]) else redis.call('EXPIRE', KEYS[2], 86400) end
redis.call('EXPIRE', KEYS[4], 86400)
redis.call('EXPIRE', KEYS[3], 86400)
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('PUBLISH', ARGV[9], '{"channel":"' .. ARGV[9] .. '","message":{"type":"' .. ARGV[6] .. '","seq":' .. seq
  .. ',"data":' .. ARGV[7] .. ',"timestamp":"' .. ARGV[8] .. '"}}')
return {ARGV[1], ARGV[2], seq}
