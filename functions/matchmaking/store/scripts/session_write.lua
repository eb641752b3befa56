-- Every transition of a session: write what was decided, together with the effects that follow from it, unless it changed since it was read. Which
-- transitions there are is the table's matter (`core/session.py`). Idempotent by the revision: what comes again meets a newer one.
--
-- KEYS  1 match:{m}:session   2 match:{m}:outbox
-- ARGV  1 request  2 match  3 revision that was read (0 = there was none)  4 session (JSON)  5 status  6 connection (JSON, '' = none)
--       7 keep for s  8 players, separated by blanks  9 channel of the match's events  10 timestamp (RFC 3339)  11 '1' if it holds its players  12… effects (JSON)
-- Reply {request, match, written | conflict, revision, the number of the last effect so far}
local before = redis.call('HMGET', KEYS[1], 'revision', 'status', 'effects')
local revision, effects = tonumber(before[1] or '0'), tonumber(before[3] or '0')
if revision ~= tonumber(ARGV[3]) then return {ARGV[1], ARGV[2], 'conflict', revision, 0} end
for i = 12, #ARGV do
  effects = effects + 1
  redis.call('XADD', KEYS[2], effects .. '-0', 'e', ARGV[i])
end
redis.call('HSET', KEYS[1], 'revision', revision + 1, 'session', ARGV[4], 'status', ARGV[5], 'connection', ARGV[6], 'players', ARGV[8], 'holds', ARGV[11],
  'effects', effects)
redis.call('EXPIRE', KEYS[1], ARGV[7])
if effects > 0 then redis.call('EXPIRE', KEYS[2], ARGV[7]) end
if before[2] ~= ARGV[5] then
  redis.call('PUBLISH', ARGV[9], '{"channel":"' .. ARGV[9] .. '","message":{"type":"session_update","data":{"session_id":"' .. ARGV[2]
    .. '","state":{"status":"' .. ARGV[5] .. '"},"timestamp":"' .. ARGV[10] .. '"},"timestamp":"' .. ARGV[10] .. '"}}')
end
return {ARGV[1], ARGV[2], 'written', revision + 1, effects}
