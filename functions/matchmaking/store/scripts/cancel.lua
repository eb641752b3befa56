-- End a ticket because its player leaves, its party changed or its pool goes away.
--
-- KEYS  1 …:waiting   2 pool:{p}:tickets   3 …:log   4 pool:{p}:alive   5 pool:{p}:counters   6 …:ended:<ticket>   7 pool:{p}:outbox
--       8 …:statistics
-- ARGV  1 request  2 player  3 ticket  4 region  5 mode  6 reason  7 event for the relay  8 log cap  9 how long to keep a mark, ms
-- Reply {request, player, status, detail}
--       cancelled  by this request; detail is the outbox entry to relay ('' if this request was carried out before)
--       matched    too late: detail is the match id
--       ended      it ended before: detail is why ('lost': the pool never knew it; now it never will)
-- @include end_ticket
local ended = redis.call('GET', KEYS[6])
if ended then
  if ended == 'c:' .. ARGV[6] .. ':' .. ARGV[1] then return {ARGV[1], ARGV[2], 'cancelled', ''} end
  if string.sub(ended, 1, 2) == 'm:' then return {ARGV[1], ARGV[2], 'matched', string.sub(ended, 3)} end
  return {ARGV[1], ARGV[2], 'ended', string.sub(ended, 3)}
end
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) then
  redis.call('SET', KEYS[6], 'c:lost', 'PX', ARGV[9])
  return {ARGV[1], ARGV[2], 'ended', 'lost'}
end
return {ARGV[1], ARGV[2], 'cancelled', end_ticket(ARGV[3], ARGV[4], ARGV[5], 'c:' .. ARGV[6] .. ':' .. ARGV[1], ARGV[7], ARGV[8], '')}
