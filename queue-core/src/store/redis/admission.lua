-- The admission rule, applied atomically: the same as `admission.rs` and `bucket.rs`, held together by the differential test.
local function refill()
  local elapsed = math.max(0, room.now - room.tokens_at)
  room.tokens = math.min(room.burst * PARTS, room.tokens + elapsed * room.rate)
  room.tokens_at = math.max(room.tokens_at, room.now)
end

local function door()
  if room.opens > 0 and room.now < room.opens then return { 'not_open', room.opens - room.now } end
  if room.closes > 0 and room.now >= room.closes then return { 'closed', 0 } end
  if room.paused == 1 or room.queue_all == 1 then return { 'paused', 0 } end
  if room.now < room.hold_until then return { 'holding', room.hold_until - room.now } end
  return nil
end

-- A session counts until its end and the leeway have passed.
local sessions = nil
local function count_sessions()
  if not sessions then sessions = redis.call('ZCOUNT', key('active'), '(' .. show(room.now - LEEWAY), '+inf') end
  return sessions
end

-- Sessions that may live and are not known after a loss, as in `merge.rs`.
local function unknown()
  if room.unknown_until + LEEWAY <= room.now then return 0 end
  local most = room.unknown_most
  if most < 0 then most = room.unknown_all == 1 and room.total or 0 end
  -- Not the other way round: a limit that was lowered since puts nobody out.
  return math.min(room.total, math.max(0, most - room.unknown_known, room.unknown_carried))
end

-- Whether whoever was let in at `started` is one of those who may have been inside when this life began.
local function was_inside(started)
  return started <= room.began and (room.unknown_seen == 0 or started <= room.unknown_seen)
end

-- nil when one more may enter, else why not and for how long.
local function refusal()
  local shut = door()
  if shut then return shut end
  if count_sessions() + unknown() >= room.total then return { 'cohort_full', 0 } end
  refill()
  if room.tokens < PARTS then return { 'rate_limited', math.ceil((PARTS - room.tokens) / room.rate) } end
  return nil
end

-- The visitor's live session: its start, end and place.
local function live(visitor)
  local row = redis.call('HGET', key('sessions'), visitor)
  if not row then return nil end
  local ends = tonumber(redis.call('ZSCORE', key('active'), visitor) or 0)
  if ends + LEEWAY <= room.now then return nil end
  local started, score = string.match(row, '^(%d+):(%d+)$')
  return { started = tonumber(started), ends = ends, score = score }
end

-- A session ends on a whole second.
local function session_end(started, span, longest)
  return math.floor(math.min(room.now + span, started + longest) / 1000) * 1000
end

local function begin_session(visitor, score, span, longest)
  local ends = session_end(room.now, span, longest)
  redis.call('ZADD', key('active'), show(ends), visitor)
  redis.call('HSET', key('sessions'), visitor, show(room.now) .. ':' .. show(score))
  -- The visitor may have had one that was about to be swept, or one that only its ticket told of.
  sessions = nil
  room.tokens = room.tokens - PARTS
  room.claims = room.claims + 1
  return ends
end

-- A session that was lost with data and that somebody vouches for is taken up again, unless its end was heard; one that is
-- known lives as long as its ticket says. The score of its place is 0 where it is not known.
local function find_session(visitor, started, ends, score)
  local known = live(visitor)
  if known then
    if known.started == started and known.ends < ends then redis.call('ZADD', key('active'), show(ends), visitor) end
    return
  end
  if ends + LEEWAY <= room.now or redis.call('ZSCORE', key('ended'), visitor) then return end
  redis.call('ZADD', key('active'), show(ends), visitor)
  redis.call('HSET', key('sessions'), visitor, show(started) .. ':' .. show(score))
  sessions = nil
  if was_inside(started) then
    room.unknown_known = redis.call('HINCRBY', key('state'), 'unknown_known', 1)
    room.unknown_carried = math.max(0, room.unknown_carried - 1)
    redis.call('HSET', key('state'), 'unknown_carried', room.unknown_carried)
  end
end

local function remember_end(visitor, till)
  redis.call('ZREM', key('active'), visitor)
  redis.call('HDEL', key('sessions'), visitor)
  redis.call('ZADD', key('ended'), show(till), visitor)
  sessions = nil
  note('e', visitor .. show(till))
end
