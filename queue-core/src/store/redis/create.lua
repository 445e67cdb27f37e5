-- A room's state comes into being, unless the caller has seen it before: then it was lost, and nobody may begin anew unasked.
-- KEYS[1] the room; ARGV as in prelude.lua, then the limits (limits.lua) and: epoch.
do
  local state = KEYS[1] .. ':state'
  if tonumber(ARGV[1]) == 0 and redis.call('EXISTS', state) == 0 then
    local host = tonumber(ARGV[8])
    if not host then
      local time = redis.call('TIME')
      host = time[1] * 1000 + math.floor(time[2] / 1000)
    end
    host = string.format('%.0f', host)
    redis.call('HSET', state, 'epoch', ARGV[18], 'version', 0, 'last', 0, 'frontier', 0, 'claims', 0,
      'now', host, 'spare', 0, 'host', host, 'tokens', string.format('%.0f', ARGV[11] * 60000), 'tokens_at', host,
      'total', ARGV[9], 'rate', ARGV[10], 'burst', ARGV[11], 'max_line', ARGV[12],
      'queue_all', ARGV[13], 'opens', ARGV[14], 'closes', ARGV[15],
      'limits_version', 1, 'operator', ARGV[16] == 'operator' and 1 or 0, 'source_at', ARGV[17],
      'paused', 0, 'hold_until', 0)
  end
end
