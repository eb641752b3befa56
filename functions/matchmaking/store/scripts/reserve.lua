-- Reserve the player for one ticket: the first half of joining.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:ticket   3 player:{p}:profile
-- ARGV  1 request  2 player  3 generation ('' = on the leader's behalf)  4 operation id  5 ticket id ('' = make one)  6 its random part
--       7 pool  8 region  9 mode  10 leader's player id
-- Reply {request, player, status, ticket, pool, region, mode, rating, sigma, recent, preferences}
--       reserved  the player is now bound to the ticket (also when the same operation comes again)
--       taken     another ticket is there: look into its pool before believing it
--       done      this operation had its effect before; the ticket is how
--       in_session  a live session holds the player: `ticket` is its match; look into it before believing it
--       cooldown  the player may not queue in this pool yet: `ticket` is how many ms longer
--       stale     a newer connection of this player exists
-- @include note
if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'generation') ~= ARGV[3] then
  return {ARGV[1], ARGV[2], 'stale', '', '', '', '', '', '', '', ''}
end
local held = redis.call('HMGET', KEYS[2], 'ticket', 'pool', 'region', 'mode', 'op', 'done', 'session', 'history')
local field = ARGV[7] .. ':' .. ARGV[9]
local profile = redis.call('HMGET', KEYS[3], 'rating:' .. field, 'sigma:' .. field, 'recent', 'cooldown:' .. ARGV[7], 'preferences')
local rating, sigma, recent, preferences = profile[1] or '', profile[2] or '', profile[3] or '', profile[5] or ''
if held[1] then
  local status = 'taken'
  if (ARGV[4] ~= '' and held[5] == ARGV[4]) or held[1] == ARGV[5] then status = 'reserved' end
  return {ARGV[1], ARGV[2], status, held[1], held[2], held[3], held[4], rating, sigma, recent, preferences}
end
if ARGV[4] ~= '' and held[6] then
  local first, last = string.find(held[6], ' ' .. ARGV[4] .. '=', 1, true)
  if first then
    local place = string.match(held[6], '^[^ ]*', last + 1)
    local parts = {}
    for part in string.gmatch(place, '[^/]+') do parts[#parts + 1] = part end
    return {ARGV[1], ARGV[2], 'done', parts[1], parts[2], parts[3], parts[4], rating, sigma, recent, preferences}
  end
end
if held[7] then return {ARGV[1], ARGV[2], 'in_session', held[7], '', '', '', rating, sigma, recent, preferences} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if profile[4] then
  local left = tonumber(string.match(profile[4], '%d+$')) - now
  if left > 0 then return {ARGV[1], ARGV[2], 'cooldown', string.format('%d', left), '', '', '', rating, sigma, recent, preferences} end
end
local ticket = ARGV[5]
-- The first eleven digits are the reservation's time in ms: the pool refuses an enqueue that comes too late by them.
if ticket == '' then ticket = string.format('%011x', now) .. ARGV[6] end
redis.call('HSET', KEYS[2], 'ticket', ticket, 'pool', ARGV[7], 'region', ARGV[8], 'mode', ARGV[9], 'op', ARGV[4], 'leader', ARGV[10],
  'history', noted(held[8], time, ticket, 'joined', ARGV[7] .. '/' .. ARGV[8] .. '/' .. ARGV[9]))
redis.call('PERSIST', KEYS[2])
return {ARGV[1], ARGV[2], 'reserved', ticket, ARGV[7], ARGV[8], ARGV[9], rating, sigma, recent, preferences}
