-- Tell a member how the party stands. Idempotent and in order by the party's version: what is older than what was told is dropped.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:outbox   3 player:{p}:party   4 player:{p}:ticket
-- ARGV  1 request  2 player  3 membership  4 version  5 event type  6 data (JSON)  7 timestamp (RFC 3339)  8 channel  9 outbox cap
--       10 the party's ticket ('' = none)  11 data if the player does not hold that ticket (any more)
-- Reply {request, player, seq} - seq 0 if it was told before, or the player is no member
-- @include tell
local held = redis.call('HMGET', KEYS[3], 'membership', 'shown')
if held[1] ~= ARGV[3] or tonumber(held[2]) >= tonumber(ARGV[4]) then return {ARGV[1], ARGV[2], 0} end
redis.call('HSET', KEYS[3], 'shown', ARGV[4])
local data = ARGV[6]
if ARGV[10] ~= '' and redis.call('HGET', KEYS[4], 'ticket') ~= ARGV[10] then data = ARGV[11] end
return {ARGV[1], ARGV[2], tell(ARGV[5], data, ARGV[7], ARGV[8], ARGV[9])}
