-- Take a member out of a party: somebody leaves, or the leader sends somebody away. Never while the party's ticket may wait, so that a ticket holds
-- exactly the party's members: the caller ends the ticket first, and names it here.
--
-- KEYS  1 party:{id}:state   2 party:{id}:gone:<membership>
-- ARGV  1 request  2 who asks  3 operation id  4 player  5 membership  6 reason  7 ticket that has ended ('' = none)  8 how long to keep the mark, ms
--       9 a new secret for the invite ('' = keep it)  10 how long that is good, ms
-- Reply {request, who asks, status, ticket, pool, region, mode}
--       removed     now; the last one's leaving ends the party, the leader's makes the oldest member the leader
--       done        this operation had its effect before
--       not_member  no such membership
--       not_leader  only the leader may send others away
--       queued      the party waits, or is about to: the ticket is named
if redis.call('EXISTS', KEYS[1]) == 0 then return {ARGV[1], ARGV[2], 'not_member', '', '', '', ''} end
local state = redis.call('HMGET', KEYS[1], 'leader', 'ticket', 'pool', 'region', 'mode', 'done', 'm:' .. ARGV[4])
local operation = ' ' .. ARGV[2] .. '/' .. ARGV[3] .. ' '
if ARGV[2] ~= ARGV[4] then
  if state[1] ~= ARGV[2] then return {ARGV[1], ARGV[2], 'not_leader', '', '', '', ''} end
end
if not state[7] or state[7] ~= ARGV[5] then
  local done = state[6] and string.find(state[6], operation, 1, true)
  return {ARGV[1], ARGV[2], done and 'done' or 'not_member', '', '', '', ''}
end
if state[2] and state[2] ~= ARGV[7] then return {ARGV[1], ARGV[2], 'queued', state[2], state[3], state[4], state[5]} end
local heir, oldest, fields = nil, nil, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'm:' and fields[i] ~= 'm:' .. ARGV[4] and (not oldest or fields[i + 1] < oldest) then
    heir, oldest = string.sub(fields[i], 3), fields[i + 1]
  end
end
redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[8])
if not heir then
  redis.call('DEL', KEYS[1])
  return {ARGV[1], ARGV[2], 'removed', '', '', '', ''}
end
redis.call('HDEL', KEYS[1], 'm:' .. ARGV[4], 'a:' .. ARGV[4], 'ticket', 'pool', 'region', 'mode', 'queue_op', 'since')
if state[1] == ARGV[4] then redis.call('HSET', KEYS[1], 'leader', heir) end
if ARGV[9] ~= '' then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'invite', ARGV[9], 'until', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[10])))
end
if ARGV[2] ~= ARGV[4] then redis.call('HSET', KEYS[1], 'done', string.sub((state[6] or '') .. operation, -1024)) end
redis.call('HSET', KEYS[1], 'reason', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {ARGV[1], ARGV[2], 'removed', '', '', '', ''}
