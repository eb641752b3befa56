-- Shared by cancel and expire: take a waiting ticket out for good and hand its end to the relay.
--
-- KEYS as in those scripts: 1 …:waiting  2 …:tickets  3 …:log  4 …:alive  5 …:counters  6 …:ended:<ticket>  7 pool:{p}:outbox  8 …:statistics
local function end_ticket(ticket, region, mode, mark, event, cap, by)
  if redis.call('EXISTS', KEYS[7]) == 0 then redis.call('XGROUP', 'CREATE', KEYS[7], 'relay', '0', 'MKSTREAM') end
  redis.call('ZREM', KEYS[1], ticket)
  redis.call('HDEL', KEYS[2], ticket)
  redis.call('ZREM', KEYS[4], ticket)
  redis.call('SET', KEYS[6], mark)
  local n = redis.call('HINCRBY', KEYS[5], region .. ':' .. mode, 1)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', cap, n .. '-0', '-', ticket, 'by', by)
  redis.call('HINCRBY', KEYS[8], 'ended|' .. string.match(mark, '^c:([^:]*)'), 1)
  local entry = redis.call('XADD', KEYS[7], '*', 'e', event)
  -- Pending at once: whoever ended the ticket relays it; if it cannot, others claim the entry after a while.
  redis.call('XREADGROUP', 'GROUP', 'relay', 'relay', 'COUNT', 1, 'STREAMS', KEYS[7], '>')
  return entry
end
