-- Relayed outbox entries are done with: forget them, and from now on keep their tickets' marks only as long as an enqueue could be late.
--
-- KEYS  1 pool:{p}:outbox   then for each ticket: …:ended:<ticket>
-- ARGV  1 request  2 how long to keep the marks, ms  3… outbox entries
-- Reply {request, how many entries were there}
redis.call('XACK', KEYS[1], 'relay', unpack(ARGV, 3))
local gone = redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return {ARGV[1], gone}
