-- A relayed outbox entry is done with: forget it, and from now on keep its tickets' marks only as long as an enqueue could be late.
--
-- KEYS  1 pool:{p}:outbox   then for each ticket: …:ended:<ticket>
-- ARGV  1 request  2 outbox entry  3 how long to keep the marks, ms
-- Reply {request, entry}
redis.call('XACK', KEYS[1], 'relay', ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return {ARGV[1], ARGV[2]}
