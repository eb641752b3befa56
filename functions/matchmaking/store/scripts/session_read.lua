-- A session as it stands, and the time by which to judge it.
--
-- KEYS  1 match:{m}:session   2 match:{m}:outbox
-- ARGV  1 request  2 match
-- Reply {request, match, now ms, revision (0 = no such session), session, state version, state, effects not yet carried out}
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local found = redis.call('HMGET', KEYS[1], 'revision', 'session', 'version', 'data')
return {ARGV[1], ARGV[2], now, tonumber(found[1] or '0'), found[2] or '', tonumber(found[3] or '0'), found[4] or '', redis.call('XLEN', KEYS[2])}
