-- Swaps called places for sessions, in the order asked.
-- ARGV[11..14] session, longest session, heard-for and claim window in ms; then triples: visitor, place, take (1 or 0).
local span, longest = tonumber(ARGV[11]), tonumber(ARGV[12])
local heard_for, window = tonumber(ARGV[13]), tonumber(ARGV[14])

-- A called place was heard: its slot stays reserved, and the claim window runs while a slot is offered.
local function hear(score, offered)
  local member = show(score)
  redis.call('ZADD', key('called'), 'GT', show(room.now + heard_for), member)
  local used, offered_at = 0, 0
  local row = redis.call('HGET', key('window'), member)
  if row then
    local a, b = string.match(row, '^(%d+):(%d+)$')
    used, offered_at = tonumber(a), tonumber(b)
  end
  if offered_at > 0 then used = used + math.min(room.now - offered_at, heard_for) end
  redis.call('HSET', key('window'), member, show(used) .. ':' .. (offered and show(room.now) or '0'))
  return used >= window
end

-- A place that was gone is heard again: back into the line. One visitor has one place: whoever lost the token and joined
-- anew meanwhile keeps the session; else a later place is given up for an earlier one that is shown. An earlier one that
-- nobody shows may never have been told to anybody: it makes way, and may return. Answers what else there is to say.
local function come_back(visitor, score)
  local session = live(visitor)
  if session then
    leave_line(score, 'spent')
    return { 'admitted', session.started, session.ends }
  end
  local other = tonumber(redis.call('ZSCORE', LINE, visitor) or 0)
  if other > 0 then leave_line(other, other < score and 'gone' or 'spent') end
  put_back(visitor, score)
  return nil
end

local function claim(visitor, score, take)
  if not is_known(score) then return { 'unknown' } end
  if is_set('spent', score) then
    local session = live(visitor)
    if session then return { 'admitted', session.started, session.ends } end
    return { 'ended' }
  end
  if is_set('gone', score) then
    local settled = come_back(visitor, score)
    if settled then return settled end
  else
    -- Found again by its ticket while its place was in the line again.
    local session = live(visitor)
    if session then
      leave_line(score, 'spent')
      return { 'admitted', session.started, session.ends }
    end
  end
  if score > room.frontier then return { 'not_called' } end
  local why = refusal()
  if take and not why then
    local ends = begin_session(visitor, score, span, longest)
    leave_line(score, 'spent')
    return { 'admitted', room.now, ends }
  end
  local missed = hear(score, not why)
  if why then return { 'refused', why[1], why[2] } end
  if missed then
    leave_line(score, 'gone')
    return { 'missed' }
  end
  return { 'offered' }
end

local answers = {}
for i = 15, #ARGV, 3 do
  answers[#answers + 1] = claim(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == '1')
end
return finish(answers)
