-- Admit a bound player to a party, or found the party: the second half of creating or joining one. Idempotent by the membership's id.
--
-- KEYS  1 party:{id}:state   2 party:{id}:gone:<membership>
-- ARGV  1 request  2 player  3 membership  4 the invite's secret ('' = found the party)  5 a new secret  6 how long it is good, ms
--       7 most members  8 latest admission, ms  9 life of an unused party, s
-- Reply {request, player, status, ticket, pool, region, mode}
--       in       a member now, or before
--       gone     this membership has ended, or comes too late
--       unknown  there is no such party
--       invite   the code is wrong, replaced or too old
--       full     as many as a party may have
--       queued   the party waits, or is about to: the ticket is named
--       taken    founding: another party has this id
if redis.call('HGET', KEYS[1], 'm:' .. ARGV[2]) == ARGV[3] then return {ARGV[1], ARGV[2], 'in', '', '', '', ''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[2]) == 1 or now - tonumber(string.sub(ARGV[3], 1, 11), 16) > tonumber(ARGV[8]) then
  return {ARGV[1], ARGV[2], 'gone', '', '', '', ''}
end
local there = redis.call('EXISTS', KEYS[1]) == 1
if ARGV[4] == '' then
  if there then return {ARGV[1], ARGV[2], 'taken', '', '', '', ''} end
  redis.call('HSET', KEYS[1], 'leader', ARGV[2], 'invite', ARGV[5], 'until', string.format('%d', now + tonumber(ARGV[6])), 'version', 1,
    'reason', 'created', 'm:' .. ARGV[2], ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[9])
  return {ARGV[1], ARGV[2], 'in', '', '', '', ''}
end
if not there then return {ARGV[1], ARGV[2], 'unknown', '', '', '', ''} end
local state = redis.call('HMGET', KEYS[1], 'invite', 'until', 'ticket', 'pool', 'region', 'mode')
if state[1] ~= ARGV[4] or tonumber(state[2]) <= now then return {ARGV[1], ARGV[2], 'invite', '', '', '', ''} end
if state[3] then return {ARGV[1], ARGV[2], 'queued', state[3], state[4], state[5], state[6]} end
local members = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'm:' then members = members + 1 end
end
if members >= tonumber(ARGV[7]) then return {ARGV[1], ARGV[2], 'full', '', '', '', ''} end
redis.call('HSET', KEYS[1], 'm:' .. ARGV[2], ARGV[3], 'reason', 'joined')
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('EXPIRE', KEYS[1], ARGV[9])
return {ARGV[1], ARGV[2], 'in', '', '', '', ''}
