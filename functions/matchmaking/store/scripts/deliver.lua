-- Hand a ticket's end to one player: number the event, free the player, keep the event in the outbox, publish it. Idempotent: a ticket ends once,
-- so an end whose ticket the player no longer holds has been delivered before.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket   3 player:{p}:outbox
-- ARGV  1 request  2 player  3 ticket  4 event type  5 data (JSON)  6 timestamp (RFC 3339)  7 channel  8 outbox cap  9 match id ('' = no match)
--       10 '1' if the match's session holds the player
-- Reply {request, player, seq} - seq 0 if it was delivered before
-- @include note
local held = redis.call('HMGET', KEYS[2], 'ticket', 'op', 'done', 'pool', 'region', 'mode', 'history')
if held[1] ~= ARGV[3] then return {ARGV[1], ARGV[2], 0} end
local time, matched = redis.call('TIME'), ARGV[9] ~= ''
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], seq .. '-0', 'type', ARGV[4], 'data', ARGV[5], 'at', ARGV[6])
redis.call('HDEL', KEYS[2], 'ticket', 'pool', 'region', 'mode', 'op', 'leader')
local detail = matched and ARGV[9] or string.match(ARGV[5], '"reason":"([^"]*)"') or ''
local set = {'history', noted(held[7], time, ARGV[3], matched and 'matched' or 'ended', detail)}
if held[2] and held[2] ~= '' then
  -- The latest operation ids with what they led to, newest last, about 2 KiB of them.
  local done = (held[3] or '') .. ' ' .. held[2] .. '=' .. held[1] .. '/' .. held[4] .. '/' .. held[5] .. '/' .. held[6]
  if #done > 2048 then done = string.match(string.sub(done, -2048), ' .*') or '' end
  set[3], set[4] = 'done', done
end
if matched then
  local n = #set
  set[n + 1], set[n + 2], set[n + 3], set[n + 4] = 'match', ARGV[9], 'match_seq', seq
  set[n + 5], set[n + 6], set[n + 7], set[n + 8] = 'match_data', ARGV[5], 'match_at', time[1]
end
if ARGV[10] == '1' then
  set[#set + 1] = 'session'
  set[#set + 1] = ARGV[9]
end
redis.call('HSET', KEYS[2], unpack(set))
redis.call('EXPIRE', KEYS[2], 86400)
redis.call('EXPIRE', KEYS[3], 86400)
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('PUBLISH', ARGV[7], '{"channel":"' .. ARGV[7] .. '","message":{"type":"' .. ARGV[4] .. '","seq":' .. seq
  .. ',"data":' .. ARGV[5] .. ',"timestamp":"' .. ARGV[6] .. '"}}')
return {ARGV[1], ARGV[2], seq}
