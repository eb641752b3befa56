-- Sign a player out, or ban one: tokens issued before count no more, the live connection can no longer act and is closed, its session cannot be resumed.
--
-- KEYS  1 player:{p}:connection   2 player:{p}:access
-- ARGV  1 request  2 player  3 signed_out | banned  4 ban for ms ('' = for good)  5 why  6 keep a sign-out for s
-- Reply {request, player, generation} - whatever the player still holds can be cancelled under this generation
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == 'banned' then
  local until_ = 'never'
  if ARGV[4] ~= '' then until_ = string.format('%d', now + tonumber(ARGV[4])) end
  redis.call('HSET', KEYS[2], 'banned_until', until_, 'ban_reason', ARGV[5])
  redis.call('PERSIST', KEYS[2])
  local signed_out = redis.call('HGET', KEYS[2], 'signed_out')
  if ARGV[4] ~= '' then redis.call('EXPIRE', KEYS[2], math.max(math.ceil(tonumber(ARGV[4]) / 1000), signed_out and tonumber(ARGV[6]) or 0)) end
else
  redis.call('HSET', KEYS[2], 'signed_out', string.format('%d', now))
  local ttl, banned = redis.call('TTL', KEYS[2]), redis.call('HEXISTS', KEYS[2], 'banned_until')
  if banned == 0 or (ttl >= 0 and ttl < tonumber(ARGV[6])) then redis.call('EXPIRE', KEYS[2], ARGV[6]) end
end
local gateway = redis.call('HGET', KEYS[1], 'gateway')
local generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HDEL', KEYS[1], 'gateway', 'resume', 'resume_before')
redis.call('EXPIRE', KEYS[1], 90000)
if gateway and gateway ~= '' then
  redis.call('PUBLISH', 'gateway:' .. gateway, '{"channel":"gateway:' .. gateway .. '","message":{"type":"' .. ARGV[3] .. '","data":{"player":"' .. ARGV[2]
    .. '","generation":' .. generation .. '},"timestamp":""}}')
end
return {ARGV[1], ARGV[2], generation}
