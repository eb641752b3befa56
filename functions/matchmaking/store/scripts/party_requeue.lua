-- A party's match came to nothing, and its ticket is about to go back under a new id: name that one, if the party is still those whom the ticket is for. From
-- here on nobody comes in, and nobody goes before it has ended. Idempotent by the new id.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 the ticket so far  3 new ticket  4 pool  5 region  6 mode  7… members
-- Reply {request, 1 if it is named, else 0}
local members, known = 0, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'm:' then
    members = members + 1
    known[string.sub(field, 3)] = true
  end
end
if members ~= #ARGV - 6 then return {ARGV[1], 0} end
for i = 7, #ARGV do
  if not known[ARGV[i]] then return {ARGV[1], 0} end
end
local ticket = redis.call('HGET', KEYS[1], 'ticket')
if ticket == ARGV[3] then return {ARGV[1], 1} end
if ticket and ticket ~= ARGV[2] then return {ARGV[1], 0} end
redis.call('HSET', KEYS[1], 'ticket', ARGV[3], 'pool', ARGV[4], 'region', ARGV[5], 'mode', ARGV[6], 'queue_op', '')
redis.call('HDEL', KEYS[1], 'since') -- it does not wait yet
return {ARGV[1], 1}
