-- The party is about to queue: name its ticket, before any member is reserved for it. From here on nobody comes in, and nobody goes before it has ended.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 player  3 membership  4 operation id  5 pool  6 region  7 mode  8 random part of the ticket's id
-- Reply {request, player, status, ticket, pool, region, mode, member, member, …}
--       queueing    under this ticket (also when the same operation comes again); then the members, the leader first
--       taken       another ticket is named: look into its pool before believing it
--       not_leader  another member leads; named as the first member
--       not_member  the membership has ended
local state = redis.call('HMGET', KEYS[1], 'leader', 'ticket', 'pool', 'region', 'mode', 'queue_op', 'm:' .. ARGV[2])
if not state[7] or state[7] ~= ARGV[3] then return {ARGV[1], ARGV[2], 'not_member', '', '', '', ''} end
if state[1] ~= ARGV[2] then return {ARGV[1], ARGV[2], 'not_leader', '', '', '', '', state[1]} end
if state[2] and state[6] ~= ARGV[4] then return {ARGV[1], ARGV[2], 'taken', state[2], state[3], state[4], state[5]} end
if not state[2] then
  local time = redis.call('TIME')
  state[2] = string.format('%011x', time[1] * 1000 + math.floor(time[2] / 1000)) .. ARGV[8]
  state[3], state[4], state[5] = ARGV[5], ARGV[6], ARGV[7]
  redis.call('HSET', KEYS[1], 'ticket', state[2], 'pool', ARGV[5], 'region', ARGV[6], 'mode', ARGV[7], 'queue_op', ARGV[4])
end
local others, fields = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'm:' and fields[i] ~= 'm:' .. ARGV[2] then others[#others + 1] = fields[i + 1] .. string.sub(fields[i], 3) end
end
table.sort(others) -- by the time of joining, with which a membership's id begins
for i, other in ipairs(others) do others[i] = string.sub(other, 24) end
return {ARGV[1], ARGV[2], 'queueing', state[2], state[3], state[4], state[5], ARGV[2], unpack(others)}
