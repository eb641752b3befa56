-- Make matches of waiting tickets, each all or none. Nothing is claimed beforehand: of two matchers that propose the same ticket one is told of the conflict.
-- Many matches of a pool come together, because what they write once (change log, statistics) then costs each of them little.
--
-- KEYS  1 pool:{p}:tickets   2 pool:{p}:alive   3 pool:{p}:counters   4 pool:{p}:outbox
--       then for each queue: …:waiting, …:log, …:statistics, …:windows; then for each ticket, in the matches' order: …:ended:<ticket>
-- ARGV  1 request  2 matcher  3 grace ms  4 log cap
--       5 how waits are counted: window in ms, windows kept, the same of long windows, then the buckets' upper bounds in ms   6 number of queues
--       then for each queue: region, mode, number of words that follow; then what the matches whose first ticket is this queue's add to its statistics if all
--       are made: field, number, field, number, …
--       then for each match: its id, event for the relay, its own part of those sums ('field number field number …'), number of tickets, then for each
--       ticket: id, enqueue time ms as the matcher knows it, number of its queue, '1' if its wait counts
-- Reply {request, matcher, then for each match:
--       {committed, outbox entry ('' if this match was committed before)} or
--       {conflict, ticket, ticket, …}: these wait no longer, or not as the matcher thinks, or are in an earlier match of this call
--       {ghost, ticket, …}: their players have been gone for too long}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local grace, queues, matches, all = tonumber(ARGV[3]), {}, {}, {}
local at = 7
for q = 1, tonumber(ARGV[6]) do
  local queue = {name = ARGV[at] .. ':' .. ARGV[at + 1], ids = {}, scores = {}, sums = {}, removed = {}, waits = {}, means = {}}
  queue.waiting, queue.log, queue.statistics, queue.windows = KEYS[1 + 4 * q], KEYS[2 + 4 * q], KEYS[3 + 4 * q], KEYS[4 + 4 * q]
  queue.matches, queue.tickets, queue.waited = 0, 0, 0
  local words = tonumber(ARGV[at + 2])
  for i = at + 3, at + 2 + words, 2 do queue.sums[ARGV[i]] = tonumber(ARGV[i + 1]) end
  queues[q], at = queue, at + 3 + words
end
local key = 5 + 4 * #queues
while at <= #ARGV do
  local match = {id = ARGV[at], event = ARGV[at + 1], part = ARGV[at + 2], tickets = {}}
  local last = at + 4 * tonumber(ARGV[at + 3])
  for i = at + 4, last, 4 do
    local queue = queues[tonumber(ARGV[i + 2])]
    all[#all + 1], queue.ids[#queue.ids + 1] = ARGV[i], ARGV[i]
    match.tickets[#match.tickets + 1] = {id = ARGV[i], since = tonumber(ARGV[i + 1]), queue = queue, counts = ARGV[i + 3] == '1', ended = KEYS[key], n = #all}
    key = key + 1
  end
  matches[#matches + 1], at = match, last + 4
end
for _, queue in ipairs(queues) do
  local scores = #queue.ids > 0 and redis.call('ZMSCORE', queue.waiting, unpack(queue.ids)) or {}
  for i, id in ipairs(queue.ids) do queue.scores[id] = scores[i] end
end
local seen = redis.call('ZMSCORE', KEYS[2], unpack(all))

-- Which matches are made, before anything is written.
local reply, made, taken = {ARGV[1], ARGV[2]}, {}, {}
for _, match in ipairs(matches) do
  local verdict, gone = {'conflict'}, 0
  for _, ticket in ipairs(match.tickets) do
    local score = ticket.queue.scores[ticket.id]
    if not score or tonumber(score) ~= ticket.since or taken[ticket.id] then
      gone = gone + 1
      verdict[1 + gone] = ticket.id
    end
  end
  if gone > 0 then
    if gone == #match.tickets and redis.call('GET', match.tickets[1].ended) == 'm:' .. match.id then verdict = {'committed', ''} end
  else
    for _, ticket in ipairs(match.tickets) do
      local alive = seen[ticket.n]
      if not alive or now - tonumber(alive) >= grace then
        gone = gone + 1
        verdict[1 + gone] = ticket.id
      end
    end
    verdict[1] = gone > 0 and 'ghost' or 'committed'
    if gone == 0 then
      made[#made + 1] = match
      match.verdict = verdict
      for _, ticket in ipairs(match.tickets) do taken[ticket.id] = true end
    end
  end
  if not match.verdict then
    local sums = match.tickets[1].queue.sums
    for field, number in string.gmatch(match.part, '(%S+) (%S+)') do sums[field] = sums[field] - tonumber(number) end
  end
  reply[#reply + 1] = verdict
end
if #made == 0 then return reply end

if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('XGROUP', 'CREATE', KEYS[4], 'relay', '0', 'MKSTREAM') end
local bounds, gone = {}, {}
for bound in string.gmatch(ARGV[5], '%d+') do bounds[#bounds + 1] = tonumber(bound) end
for _, match in ipairs(made) do
  local mark, waited, count, first = 'm:' .. match.id, 0, 0, match.tickets[1].queue
  for _, ticket in ipairs(match.tickets) do
    redis.call('SET', ticket.ended, mark)
    gone[#gone + 1] = ticket.id
    ticket.queue.removed[#ticket.queue.removed + 1] = ticket.id
    if ticket.counts then
      local wait, bucket = math.max(0, now - ticket.since), 0
      while bounds[5 + bucket] and wait > bounds[5 + bucket] do bucket = bucket + 1 end
      first.waits[bucket] = (first.waits[bucket] or 0) + 1
      waited, count = waited + wait, count + 1
    end
  end
  first.matches, first.tickets, first.waited = first.matches + 1, first.tickets + count, first.waited + waited
  if count > 0 then first.means[#first.means + 1] = waited / count end
  match.verdict[2] = redis.call('XADD', KEYS[4], '*', 'e', match.event)
end
-- Pending at once: whoever committed a match relays it; if it cannot, others claim the entry after a while.
redis.call('XREADGROUP', 'GROUP', 'relay', 'relay', 'COUNT', #made, 'STREAMS', KEYS[4], '>')
redis.call('HDEL', KEYS[1], unpack(gone))
redis.call('ZREM', KEYS[2], unpack(gone))
local minute, window, long = math.floor(now / 60000), math.floor(now / bounds[1]), math.floor(now / bounds[3])
for _, queue in ipairs(queues) do
  if #queue.removed > 0 then
    redis.call('ZREM', queue.waiting, unpack(queue.removed))
    local n = redis.call('HINCRBY', KEYS[3], queue.name, 1)
    redis.call('XADD', queue.log, 'MAXLEN', '~', ARGV[4], n .. '-0', '-', table.concat(queue.removed, ' '), 'by', ARGV[2])
  end
  if queue.matches > 0 then
    -- Recent waits: an exponentially weighted mean, each match counting a tenth; and matches by minute for the rate.
    if #queue.means > 0 then
      local mean = tonumber(redis.call('HGET', queue.statistics, 'mean_wait_ms') or queue.means[1])
      for _, this in ipairs(queue.means) do mean = mean * 0.9 + this * 0.1 end
      redis.call('HSET', queue.statistics, 'mean_wait_ms', string.format('%.0f', mean))
    end
    local counts = {matches = queue.matches, tickets = queue.tickets, waited_ms = queue.waited}
    for field, number in pairs(counts) do redis.call('HINCRBY', queue.statistics, field, number) end
    for bucket, tickets in pairs(queue.waits) do
      redis.call('HINCRBY', queue.statistics, 'waits:' .. window .. ':' .. bucket, tickets)
      counts['waits:' .. bucket] = tickets
    end
    for field, number in pairs(queue.sums) do
      if number ~= 0 then
        redis.call('HINCRBY', queue.statistics, field, string.format('%d', number))
        -- The long windows have only what players are shown of the matches' distribution (`quality:0.9`), not what metrics count (`quality|b3`).
        if string.match(field, '^[^|]+:') and string.sub(field, 1, 5) ~= 'wait:' then counts[field] = number end
      end
    end
    if redis.call('HINCRBY', queue.statistics, 'minute:' .. minute, queue.matches) == queue.matches then
      for _, field in ipairs(redis.call('HKEYS', queue.statistics)) do
        local old, past = string.match(field, '^minute:(%d+)$'), string.match(field, '^waits:(%d+):')
        if (old and tonumber(old) < minute - 5) or (past and tonumber(past) <= window - bounds[2]) then redis.call('HDEL', queue.statistics, field) end
      end
    end
    -- The same by long windows, of which some make an hour and all make a day; waits are counted by bucket already.
    for field, number in pairs(counts) do
      local now_there = redis.call('HINCRBY', queue.windows, long .. ':' .. field, string.format('%d', number))
      if field == 'matches' and now_there == number then
        for _, there in ipairs(redis.call('HKEYS', queue.windows)) do
          if tonumber(string.match(there, '^%d+')) <= long - bounds[4] then redis.call('HDEL', queue.windows, there) end
        end
      end
    end
    redis.call('PEXPIRE', queue.windows, bounds[3] * bounds[4])
  end
end
return reply
