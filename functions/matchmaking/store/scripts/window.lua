-- What was counted of a queue's matches in its latest long windows, added up.
--
-- KEYS  1 …:windows
-- ARGV  1 request  2 a window's length in ms  3 how many of them, the present one included
-- Reply {request, since when in ms, {counter, number, …}}
local time = redis.call('TIME')
local first = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / tonumber(ARGV[2])) - tonumber(ARGV[3]) + 1
local fields, sums = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #fields, 2 do
  local window, counter = string.match(fields[i], '^(%d+):(.*)$')
  if tonumber(window) >= first then sums[counter] = (sums[counter] or 0) + tonumber(fields[i + 1]) end
end
local found = {}
for counter, number in pairs(sums) do
  found[#found + 1] = counter
  found[#found + 1] = number
end
return {ARGV[1], string.format('%d', first * ARGV[2]), found}
