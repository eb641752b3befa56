-- Which party is the player bound to, and which ticket does the player hold?
--
-- KEYS  1 player:{p}:connection   2 player:{p}:party   3 player:{p}:ticket
-- ARGV  1 request  2 player  3 generation ('' = asked by somebody else)  4 operation id  5 '1' if a client session begins anew
-- Reply {request, player, stale | done | none | held, party, membership, version told, ticket, pool, region, mode}
--       done: this operation ended the binding before
if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'generation') ~= ARGV[3] then
  return {ARGV[1], ARGV[2], 'stale', '', '', '0', '', '', '', ''}
end
if ARGV[5] == '1' then -- operation ids are the client session's own
  redis.call('HDEL', KEYS[2], 'done')
  if redis.call('HEXISTS', KEYS[2], 'op') == 1 then redis.call('HSET', KEYS[2], 'op', '') end
end
local party = redis.call('HMGET', KEYS[2], 'party', 'membership', 'shown', 'done')
local held = redis.call('HMGET', KEYS[3], 'ticket', 'pool', 'region', 'mode')
local status = party[1] and 'held' or 'none'
if ARGV[4] ~= '' and party[4] and string.find(party[4], ' ' .. ARGV[4] .. '=', 1, true) then status = 'done' end
return {ARGV[1], ARGV[2], status, party[1] or '', party[2] or '', party[3] or '0', held[1] or '', held[2] or '', held[3] or '', held[4] or ''}
