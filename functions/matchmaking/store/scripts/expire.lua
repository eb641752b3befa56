-- End a ticket that has waited longer than its pool allows, or whose players have been gone for too long. Checked here again: it may have been touched.
--
-- KEYS  1 …:waiting   2 pool:{p}:tickets   3 …:log   4 pool:{p}:alive   5 pool:{p}:counters   6 …:ended:<ticket>   7 pool:{p}:outbox
--       8 …:statistics
-- ARGV  1 request  2 leader  3 ticket  4 region  5 mode  6 ttl ms  7 grace ms  8 event if expired  9 event if disconnected  10 log cap
-- Reply {request, leader, expired | disconnected | kept | gone, outbox entry}
-- @include end_ticket
local enqueued = redis.call('ZSCORE', KEYS[1], ARGV[3])
if not enqueued then return {ARGV[1], ARGV[2], 'gone', ''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now - tonumber(enqueued) >= tonumber(ARGV[6]) then
  return {ARGV[1], ARGV[2], 'expired', end_ticket(ARGV[3], ARGV[4], ARGV[5], 'c:expired', ARGV[8], ARGV[10], '')}
end
local seen = redis.call('ZSCORE', KEYS[4], ARGV[3])
if not seen or now - tonumber(seen) >= tonumber(ARGV[7]) then
  return {ARGV[1], ARGV[2], 'disconnected', end_ticket(ARGV[3], ARGV[4], ARGV[5], 'c:disconnected', ARGV[9], ARGV[10], '')}
end
return {ARGV[1], ARGV[2], 'kept', ''}
