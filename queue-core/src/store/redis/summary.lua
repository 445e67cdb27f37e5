-- The room without its line; the order is read by `reply.rs`.
local function summary()
  return { redis.call('ZCARD', key('line')), count_sessions(),
    redis.call('ZCOUNT', key('called'), '(' .. show(room.now), '+inf'), room.tokens, room.tokens_at,
    room.total, room.rate, room.burst, room.max_line, room.queue_all, room.opens, room.closes,
    room.limits_version, room.operator, room.paused, room.hold_until }
end
