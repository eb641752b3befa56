-- Shared by reserve, deliver and session_deliver: note what happened to a player's ticket, about 4 KiB of it, newest last; a line each:
-- "<ms> <ticket> <what> <detail>". It is for people and explains; nothing is decided by it.
local function note(key, ticket, what, detail)
  local time = redis.call('TIME')
  local line = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)) .. ' ' .. ticket .. ' ' .. what .. ' ' .. detail .. '\n'
  local history = (redis.call('HGET', key, 'history') or '') .. line
  if #history > 4096 then history = string.match(string.sub(history, -4096), '\n(.*)') or line end
  redis.call('HSET', key, 'history', history)
end
