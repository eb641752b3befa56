-- Shared by scripts that hand an event to a player: number it, keep it in the outbox, publish it.
--
-- KEYS as in those scripts: 1 player:{p}:connection  2 player:{p}:outbox
local function tell(type, data, at, channel, cap)
  local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', cap, seq .. '-0', 'type', type, 'data', data, 'at', at)
  redis.call('EXPIRE', KEYS[2], 86400)
  redis.call('EXPIRE', KEYS[1], 90000)
  redis.call('PUBLISH', channel, '{"channel":"' .. channel .. '","message":{"type":"' .. type .. '","seq":' .. seq
    .. ',"data":' .. data .. ',"timestamp":"' .. at .. '"}}')
  return seq
end
