-- Which ticket does the player hold, asked by the live connection?
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket
-- ARGV  1 request  2 player  3 generation  4 for how many s a match counts as just found
-- Reply {request, player, stale | none | held | matched, ticket, pool, region, mode, leader}
--       matched  no ticket, because it has just become a match: `leader` is the match's id
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[3] then return {ARGV[1], ARGV[2], 'stale', '', '', '', '', ''} end
local held = redis.call('HMGET', KEYS[2], 'ticket', 'pool', 'region', 'mode', 'leader', 'match', 'match_at')
if not held[1] and held[7] and redis.call('TIME')[1] - held[7] < tonumber(ARGV[4]) then return {ARGV[1], ARGV[2], 'matched', '', '', '', '', held[6]} end
if not held[1] then return {ARGV[1], ARGV[2], 'none', '', '', '', '', ''} end
return {ARGV[1], ARGV[2], 'held', held[1], held[2], held[3], held[4], held[5]}
