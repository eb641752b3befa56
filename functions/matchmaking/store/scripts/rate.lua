-- A match's outcome for one player: rating, latest opponents, counts, history. Idempotent by the match.
--
-- KEYS  1 player:{p}:profile   2 player:{p}:seen   3 player:{p}:matches
-- ARGV  1 request  2 player  3 event id  4 pool:mode  5 outcome  6 7 8 mu, sigma, volatility before  9 10 11 after  12 opponents, separated by blanks
--       13 entry of the history (JSON)  14 opponents kept  15 history kept
-- Reply {request, player, 1 | 0 (done before)}
if redis.call('ZSCORE', KEYS[2], ARGV[3]) then return {ARGV[1], ARGV[2], 0} end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[3])
redis.call('EXPIRE', KEYS[2], 86400)
-- As differences, because something else (an import, an earlier match's late result) may have changed the rating meanwhile.
for i, name in ipairs({'rating:', 'sigma:', 'volatility:'}) do
  local before, after = tonumber(ARGV[5 + i]), tonumber(ARGV[8 + i])
  local held = tonumber(redis.call('HGET', KEYS[1], name .. ARGV[4]) or '')
  local value = after
  if held and held ~= before then
    if name == 'rating:' then value = held + (after - before) else value = held * (after / before) end
  end
  redis.call('HSET', KEYS[1], name .. ARGV[4], string.format('%.17g', value))
end
local recent, seen, kept = {}, {}, tonumber(ARGV[14])
for player in string.gmatch(ARGV[12] .. ' ' .. (redis.call('HGET', KEYS[1], 'recent') or ''), '[^ ]+') do
  if not seen[player] and #recent < kept then
    seen[player] = true
    recent[#recent + 1] = player
  end
end
redis.call('HSET', KEYS[1], 'recent', table.concat(recent, ' '))
redis.call('HINCRBY', KEYS[1], 'count:matches', 1)
redis.call('HINCRBY', KEYS[1], 'count:' .. ARGV[5], 1)
redis.call('LPUSH', KEYS[3], ARGV[13])
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[15]) - 1)
return {ARGV[1], ARGV[2], 1}
