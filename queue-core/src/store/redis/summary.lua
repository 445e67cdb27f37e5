-- The room without its line; the order is read by `reply.rs`.
local function summary()
  local latest = redis.call('ZRANGE', key('active'), -1, -1, 'WITHSCORES')
  local latest_end = tonumber(latest[2] or 0)
  if room.unknown_until + LEEWAY > room.now then latest_end = math.max(latest_end, room.unknown_until) end
  return { redis.call('ZCARD', LINE), count_sessions(), unknown(), show(latest_end),
    redis.call('ZCOUNT', CALLED, '(' .. show(room.now), '+inf'), room.tokens, room.tokens_at,
    room.total, room.rate, room.burst, room.max_line, room.queue_all, room.opens, room.closes,
    room.limits_version, room.operator, room.paused, room.began, room.hold_until, room.collect_until }
end
