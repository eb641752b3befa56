-- Bind a player to a party: the first half of creating or joining one. The binding means nothing until the party has admitted it.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:party
-- ARGV  1 request  2 player  3 generation  4 operation id  5 party id  6 random part of the membership's id
-- Reply {request, player, status, party, membership}
--       bound  the player is now bound (also when the same operation comes again)
--       taken  bound to a party already: ask that party before believing it
--       done   this operation had its effect before; party is where
--       stale  a newer connection of this player exists
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[3] then return {ARGV[1], ARGV[2], 'stale', '', ''} end
local held = redis.call('HMGET', KEYS[2], 'party', 'membership', 'op', 'done')
if held[1] and held[3] == ARGV[4] then return {ARGV[1], ARGV[2], 'bound', held[1], held[2]} end
if held[4] then
  local _, last = string.find(held[4], ' ' .. ARGV[4] .. '=', 1, true)
  if last then return {ARGV[1], ARGV[2], 'done', string.match(held[4], '^[^ ]*', last + 1), ''} end
end
if held[1] then return {ARGV[1], ARGV[2], 'taken', held[1], held[2]} end
-- The first eleven digits are the time in ms: the party refuses an admission that comes too late by them.
local time = redis.call('TIME')
local membership = string.format('%011x', time[1] * 1000 + math.floor(time[2] / 1000)) .. ARGV[6]
redis.call('HSET', KEYS[2], 'party', ARGV[5], 'membership', membership, 'op', ARGV[4], 'shown', 0)
redis.call('PERSIST', KEYS[2])
return {ARGV[1], ARGV[2], 'bound', ARGV[5], membership}
