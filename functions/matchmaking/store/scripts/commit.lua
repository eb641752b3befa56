-- Make a match of waiting tickets, all or none. Nothing is claimed beforehand: of two matchers that propose the same ticket one is told of the conflict.
--
-- KEYS  1 pool:{p}:tickets   2 pool:{p}:alive   3 pool:{p}:counters   4 pool:{p}:outbox   5 …:statistics   6 …:windows of the match's queue
--       then for each queue: …:waiting, …:log; then for each ticket, in the queues' order: …:ended:<ticket>
-- ARGV  1 request  2 matcher  3 match id  4 event for the relay  5 grace ms  6 log cap
--       7 how waits are counted: window in ms, windows kept, the same of long windows, then the buckets' upper bounds in ms   8 number of queues
--       then for each queue: region, mode, number of tickets, then for each ticket: id, enqueue time ms as the matcher knows it, '1' if its wait counts
--       then what the match adds to the statistics: field, number, field, number, …
-- Reply {request, matcher, committed, outbox entry ('' if this match was committed before)} or
--       {request, matcher, conflict, ticket, ticket, …}: these wait no longer, or not as the matcher thinks
--       {request, matcher, ghost, ticket, …}: their players have been gone for too long
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local matches, queues, all = 'm:' .. ARGV[3], {}, {}
local at, key = 9, 6 + 2 * tonumber(ARGV[8])
local gone = {}
for q = 1, tonumber(ARGV[8]) do
  local queue = {region = ARGV[at], mode = ARGV[at + 1], waiting = KEYS[5 + 2 * q], log = KEYS[6 + 2 * q], ids = {}, since = {}, counts = {}}
  for i = 1, tonumber(ARGV[at + 2]) do
    queue.ids[i], queue.since[i], queue.counts[i] = ARGV[at + 3 * i], ARGV[at + 1 + 3 * i], ARGV[at + 2 + 3 * i] == '1'
    all[#all + 1] = queue.ids[i]
  end
  at = at + 3 + 3 * #queue.ids
  local scores = redis.call('ZMSCORE', queue.waiting, unpack(queue.ids))
  for i, id in ipairs(queue.ids) do
    if not scores[i] or tonumber(scores[i]) ~= tonumber(queue.since[i]) then gone[#gone + 1] = id end
  end
  queues[q] = queue
end
if #gone > 0 then
  if #gone == #all and redis.call('GET', KEYS[key + 1]) == matches then return {ARGV[1], ARGV[2], 'committed', ''} end
  return {ARGV[1], ARGV[2], 'conflict', unpack(gone)}
end
local seen = redis.call('ZMSCORE', KEYS[2], unpack(all))
for i, id in ipairs(all) do
  if not seen[i] or now - tonumber(seen[i]) >= tonumber(ARGV[5]) then gone[#gone + 1] = id end
end
if #gone > 0 then return {ARGV[1], ARGV[2], 'ghost', unpack(gone)} end

if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('XGROUP', 'CREATE', KEYS[4], 'relay', '0', 'MKSTREAM') end
local waited, count, bounds, waits = 0, 0, {}, {}
for bound in string.gmatch(ARGV[7], '%d+') do bounds[#bounds + 1] = tonumber(bound) end
for _, queue in ipairs(queues) do
  redis.call('ZREM', queue.waiting, unpack(queue.ids))
  local n = redis.call('HINCRBY', KEYS[3], queue.region .. ':' .. queue.mode, 1)
  redis.call('XADD', queue.log, 'MAXLEN', '~', ARGV[6], n .. '-0', '-', table.concat(queue.ids, ' '), 'by', ARGV[2])
  for i, since in ipairs(queue.since) do
    if queue.counts[i] then
      local wait, bucket = math.max(0, now - tonumber(since)), 0
      while bounds[5 + bucket] and wait > bounds[5 + bucket] do bucket = bucket + 1 end
      waits[bucket] = (waits[bucket] or 0) + 1
      waited, count = waited + wait, count + 1
    end
  end
end
redis.call('HDEL', KEYS[1], unpack(all))
redis.call('ZREM', KEYS[2], unpack(all))
for i = 1, #all do redis.call('SET', KEYS[key + i], matches) end
-- Recent waits: an exponentially weighted mean, each match counting a tenth; and matches by minute for the rate.
if count > 0 then
  local mean = redis.call('HGET', KEYS[5], 'mean_wait_ms')
  local this = waited / count
  if mean then this = tonumber(mean) * 0.9 + this * 0.1 end
  redis.call('HSET', KEYS[5], 'mean_wait_ms', string.format('%.0f', this))
end
local minute = math.floor(now / 60000)
redis.call('HINCRBY', KEYS[5], 'matches', 1)
redis.call('HINCRBY', KEYS[5], 'tickets', count)
redis.call('HINCRBY', KEYS[5], 'waited_ms', waited)
local window = math.floor(now / bounds[1])
for bucket, tickets in pairs(waits) do redis.call('HINCRBY', KEYS[5], 'waits:' .. window .. ':' .. bucket, tickets) end
for i = at, #ARGV, 2 do redis.call('HINCRBY', KEYS[5], ARGV[i], ARGV[i + 1]) end
if redis.call('HINCRBY', KEYS[5], 'minute:' .. minute, 1) == 1 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
    local old, past = string.match(field, '^minute:(%d+)$'), string.match(field, '^waits:(%d+):')
    if (old and tonumber(old) < minute - 5) or (past and tonumber(past) <= window - bounds[2]) then redis.call('HDEL', KEYS[5], field) end
  end
end
-- The same by long windows, of which some make an hour and all make a day; waits are counted by bucket already.
local long = math.floor(now / bounds[3]) .. ':'
if redis.call('HINCRBY', KEYS[6], long .. 'matches', 1) == 1 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
    if tonumber(string.match(field, '^%d+')) <= math.floor(now / bounds[3]) - bounds[4] then redis.call('HDEL', KEYS[6], field) end
  end
end
redis.call('HINCRBY', KEYS[6], long .. 'tickets', count)
redis.call('HINCRBY', KEYS[6], long .. 'waited_ms', waited)
for bucket, tickets in pairs(waits) do redis.call('HINCRBY', KEYS[6], long .. 'waits:' .. bucket, tickets) end
for i = at, #ARGV, 2 do  -- only what players are shown of the matches' distribution (`quality:0.9`), not what metrics count (`quality|b3`)
  if string.match(ARGV[i], '^[^|]+:') and string.sub(ARGV[i], 1, 5) ~= 'wait:' then redis.call('HINCRBY', KEYS[6], long .. ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[6], bounds[3] * bounds[4])
local entry = redis.call('XADD', KEYS[4], '*', 'e', ARGV[4])
redis.call('XREADGROUP', 'GROUP', 'relay', 'relay', 'COUNT', 1, 'STREAMS', KEYS[4], '>')
return {ARGV[1], ARGV[2], 'committed', entry}
