-- Make this the player's one live connection: an older one can no longer act, and its gateway is told to close it. A client that proves by its token
-- that it holds the session gets what it has missed, if the outbox still has all of it; otherwise it starts anew.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket   3 player:{p}:outbox   4 player:{p}:access
-- ARGV  1 request  2 player  3 gateway  4 epoch  5 hash of the resume token to come  6 hash of the one offered ('' = none)
--       7 number of the last event that the client has ('' = none of this epoch)  8 when the sign-in token was issued, ms
--       9 generation of the connection that is renewed in place ('' = a new connection)
-- Reply {request, player, status, detail, generation, seq, resumed, ticket, pool, region, mode, match_seq, match_data, {outbox entries missed}}
--       live        this is the player's connection now; resumed is '1' or ''
--       stale       the connection to renew was replaced meanwhile
--       banned      detail says why
--       signed_out  the sign-in token was issued before the player signed out
local function refuse(status, detail)
  return {ARGV[1], ARGV[2], status, detail, 0, '0', '', '', '', '', '', '', '', {}}
end
local access = redis.call('HMGET', KEYS[4], 'banned_until', 'ban_reason', 'signed_out')
if access[1] then
  local time = redis.call('TIME')
  if access[1] == 'never' or tonumber(access[1]) > time[1] * 1000 + math.floor(time[2] / 1000) then return refuse('banned', access[2] or '') end
end
if access[3] and tonumber(ARGV[8]) <= tonumber(access[3]) then return refuse('signed_out', '') end
local before = redis.call('HMGET', KEYS[1], 'gateway', 'generation', 'seq', 'epoch', 'resume', 'resume_before')
local generation, seq = tonumber(before[2] or '0'), tonumber(before[3] or '0')
if ARGV[9] ~= '' then
  if generation <= tonumber(ARGV[9]) then
    generation = tonumber(ARGV[9]) -- a store that was rolled back may know an older one only
  elseif ARGV[5] ~= '' and before[5] == ARGV[5] then
    generation = generation - 1 -- this very renewal comes again, because its answer was lost
  else
    return refuse('stale', '')
  end
end
generation = generation + 1
local resumed, missed = '', {}
if ARGV[6] ~= '' and ARGV[7] ~= '' and before[4] == ARGV[4] and (before[5] == ARGV[6] or before[6] == ARGV[6]) and tonumber(ARGV[7]) <= seq then
  missed = redis.call('XRANGE', KEYS[3], '(' .. ARGV[7] .. '-0', '+')
  -- Numbers have no gaps and only the oldest entries are ever trimmed, so the count alone says whether all of them are there.
  if #missed == seq - tonumber(ARGV[7]) then resumed = '1' else missed = {} end
end
redis.call('HSET', KEYS[1], 'gateway', ARGV[3], 'generation', generation, 'epoch', ARGV[4], 'resume', ARGV[5])
-- Operation ids are the client session's own; one that starts anew may use them again. Who is renewed in place, or proves by the token to be the same client although
-- nothing can be resumed, may have asked for something that it has no answer to yet, and will ask again.
local proven = ARGV[6] ~= '' and (before[5] == ARGV[6] or before[6] == ARGV[6])
local token = ''
if resumed == '1' or (proven and (before[4] ~= ARGV[4] or ARGV[7] == '')) then
  token = ARGV[6]
elseif ARGV[9] ~= '' and before[5] == ARGV[5] then
  token = before[6] or '' -- the same renewal again
elseif ARGV[9] ~= '' and before[4] ~= ARGV[4] then
  token = before[5] or ''
end
if token ~= '' then
  redis.call('HSET', KEYS[1], 'resume_before', token) -- the new token may never arrive: the one that did stays good until its successor is used
else
  redis.call('HDEL', KEYS[1], 'resume_before')
end
if ARGV[9] == '' and not proven then redis.call('HDEL', KEYS[2], 'done') end
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('EXPIRE', KEYS[3], 86400)
if before[1] and before[1] ~= '' and (ARGV[9] == '' or before[1] ~= ARGV[3]) then
  redis.call('PUBLISH', 'gateway:' .. before[1], '{"channel":"gateway:' .. before[1] .. '","message":{"type":"superseded","data":{"player":"' .. ARGV[2]
    .. '","generation":' .. generation .. '},"timestamp":""}}')
end
local held = redis.call('HMGET', KEYS[2], 'ticket', 'pool', 'region', 'mode', 'match_seq', 'match_data')
return {ARGV[1], ARGV[2], 'live', '', generation, seq, resumed, held[1] or '', held[2] or '', held[3] or '', held[4] or '', held[5] or '',
  held[6] or '', missed}
