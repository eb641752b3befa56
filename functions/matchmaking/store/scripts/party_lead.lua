-- What only the leader may change: who leads, and the invite. Idempotent by operation id.
--
-- KEYS  1 party:{id}:state
-- ARGV  1 request  2 who asks  3 operation id  4 the next leader ('' = no change)  5 a new secret for the invite ('' = keep it)  6 how long it is good, ms
-- Reply {request, who asks, changed | done | not_leader | not_member}
local state = redis.call('HMGET', KEYS[1], 'leader', 'done', 'until')
local operation = ' ' .. ARGV[2] .. '/' .. ARGV[3] .. ' '
local done = state[2] and string.find(state[2], operation, 1, true)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if state[1] ~= ARGV[2] then return {ARGV[1], ARGV[2], done and 'done' or 'not_leader'} end
if done and ARGV[5] ~= '' and tonumber(state[3]) > now then return {ARGV[1], ARGV[2], 'done'} end
if ARGV[4] ~= '' then
  if redis.call('HEXISTS', KEYS[1], 'm:' .. ARGV[4]) == 0 then return {ARGV[1], ARGV[2], 'not_member'} end
  redis.call('HSET', KEYS[1], 'leader', ARGV[4], 'reason', 'promoted')
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'invite', ARGV[5], 'until', string.format('%d', now + tonumber(ARGV[6])), 'reason', 'invite')
end
redis.call('HSET', KEYS[1], 'done', string.sub((state[2] or '') .. operation, -1024))
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {ARGV[1], ARGV[2], 'changed'}
