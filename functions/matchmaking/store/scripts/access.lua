-- May a player whose token was issued at this time come in?
--
-- KEYS  1 player:{p}:access
-- ARGV  1 request  2 player  3 when the token was issued, ms
-- Reply {request, player, granted | banned | signed_out, detail} - detail says why the player is banned
local access = redis.call('HMGET', KEYS[1], 'banned_until', 'ban_reason', 'signed_out')
if access[1] then
  local time = redis.call('TIME')
  if access[1] == 'never' or tonumber(access[1]) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return {ARGV[1], ARGV[2], 'banned', access[2] or ''}
  end
end
if access[3] and tonumber(ARGV[3]) <= tonumber(access[3]) then return {ARGV[1], ARGV[2], 'signed_out', ''} end
return {ARGV[1], ARGV[2], 'granted', ''}
