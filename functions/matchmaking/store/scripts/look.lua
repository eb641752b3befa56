-- What became of a ticket that a reservation names? If the pool knows nothing of it, leave a mark, so that an enqueue that comes late is refused.
--
-- KEYS  1 …:waiting   2 …:ended:<ticket>
-- ARGV  1 request  2 player  3 ticket  4 how long to keep the mark, ms
-- Reply {request, player, waiting | matched | cancelled, detail}
--       detail: the enqueue time in ms, the match id, or why it was cancelled
local enqueued = redis.call('ZSCORE', KEYS[1], ARGV[3])
if enqueued then return {ARGV[1], ARGV[2], 'waiting', enqueued} end
local ended = redis.call('GET', KEYS[2])
if ended then
  local status = 'cancelled'
  if string.sub(ended, 1, 2) == 'm:' then status = 'matched' end
  return {ARGV[1], ARGV[2], status, string.sub(ended, 3)}
end
redis.call('SET', KEYS[2], 'c:lost', 'PX', ARGV[4])
return {ARGV[1], ARGV[2], 'cancelled', 'lost'}
