-- A server's state of a running session: keep it, and tell its players at once. Not numbered: the next one makes it worthless.
--
-- KEYS  1 match:{m}:session
-- ARGV  1 request  2 match  3 state (JSON)  4 version that was read ('' = whatever there is)  5 timestamp (RFC 3339)  6 channel of the match's events
--       7 request that wrote the state which was read ('' = whichever): after a failover a version may come twice, a request never does
-- Reply {request, match, written | repeated | conflict | not_active | unknown, version}
--       not_active  the session is in another status, or holds nobody yet: that is for a transition first
local found = redis.call('HMGET', KEYS[1], 'status', 'version', 'players', 'connection', 'request', 'holds')
if not found[1] then return {ARGV[1], ARGV[2], 'unknown', 0} end
local version = tonumber(found[2] or '0')
if found[5] == ARGV[1] then return {ARGV[1], ARGV[2], 'repeated', version} end
if found[1] ~= 'active' or found[6] ~= '1' then return {ARGV[1], ARGV[2], 'not_active', version} end
if ARGV[4] ~= '' and tonumber(ARGV[4]) ~= version or ARGV[7] ~= '' and ARGV[7] ~= found[5] then return {ARGV[1], ARGV[2], 'conflict', version} end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'data', ARGV[3], 'request', ARGV[1])
local connection = ''
if found[4] and found[4] ~= '' then connection = '"connection":' .. found[4] .. ',' end
local message = '{"type":"session_update","data":{"session_id":"' .. ARGV[2] .. '","state":{"status":"active",' .. connection .. '"version":' .. version
  .. ',"data":' .. ARGV[3] .. '},"timestamp":"' .. ARGV[5] .. '"},"timestamp":"' .. ARGV[5] .. '"}}'
redis.call('PUBLISH', ARGV[6], '{"channel":"' .. ARGV[6] .. '","message":' .. message)
for player in string.gmatch(found[3] or '', '[^ ]+') do
  local channel = 'player:' .. player .. ':updates'
  redis.call('PUBLISH', channel, '{"channel":"' .. channel .. '","message":' .. message)
end
return {ARGV[1], ARGV[2], 'written', version}
