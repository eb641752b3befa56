-- End a player's binding to a party that does not hold the player (any more), and tell the player. The caller has seen the party's mark.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:outbox   3 player:{p}:party
-- ARGV  1 request  2 player  3 membership  4 event type  5 data (JSON; '' = say nothing)  6 timestamp (RFC 3339)  7 channel  8 outbox cap
--       9 operation id by which the player asked for it ('' = did not)
-- Reply {request, player, seq} - seq 0 if nothing was told, -1 if it had ended before
-- @include tell
local held = redis.call('HMGET', KEYS[3], 'party', 'membership', 'op', 'done')
if held[2] ~= ARGV[3] then return {ARGV[1], ARGV[2], -1} end
redis.call('HDEL', KEYS[3], 'party', 'membership', 'op', 'shown')
local done = held[4] or ''
if ARGV[5] ~= '' then done = done .. ' ' .. held[3] .. '=' .. held[1] end -- what never came to be may be tried again under the same id
if ARGV[9] ~= '' then done = done .. ' ' .. ARGV[9] .. '=' .. held[1] end
if #done > 1024 then done = string.match(string.sub(done, -1024), ' .*') or '' end
if done ~= '' then redis.call('HSET', KEYS[3], 'done', done) end
redis.call('EXPIRE', KEYS[3], 86400)
if ARGV[5] == '' then return {ARGV[1], ARGV[2], 0} end
return {ARGV[1], ARGV[2], tell(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8])}
