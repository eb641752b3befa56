-- Shared by reserve, deliver and session_deliver: note what happened to a player's ticket, about 4 KiB of it, newest last; a line each:
-- "<ms> <ticket> <what> <detail>". It is for people and explains; nothing is decided by it. Who reads and writes the hash anyway takes `noted` along.
local function noted(history, time, ticket, what, detail)
  local line = string.format('%d%03d ', time[1], math.floor(time[2] / 1000)) .. ticket .. ' ' .. what .. ' ' .. detail .. '\n'
  if not history then return line end
  if #history + #line <= 4096 then return history .. line end
  return string.match(string.sub(history .. line, -4096), '\n(.*)') or line
end
local function note(key, ticket, what, detail)
  redis.call('HSET', key, 'history', noted(redis.call('HGET', key, 'history'), redis.call('TIME'), ticket, what, detail))
end
