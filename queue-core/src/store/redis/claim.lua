-- Swaps called places for sessions, in the order asked.
-- ARGV[9..12] session, longest session, heard-for and claim window in ms; then triples: visitor, place, take (1 or 0).
local span, longest = tonumber(ARGV[9]), tonumber(ARGV[10])
local heard_for, window = tonumber(ARGV[11]), tonumber(ARGV[12])

-- A called place was heard: its slot stays reserved, and the claim window runs while a slot is offered.
local function hear(sequence, offered)
  local member = show(sequence)
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

local function claim(visitor, score, take)
  local epoch, sequence = split(score)
  if epoch ~= room.epoch or sequence > room.last then return { 'unknown' } end
  if is_set('spent', sequence) then
    local session = live(visitor)
    if session then return { 'admitted', session.started, session.ends } end
    return { 'ended' }
  end
  if is_set('gone', sequence) then
    set('gone', sequence, 0)
    redis.call('ZADD', key('line'), show(score), visitor)
    note('w', show(sequence))
  end
  if sequence > room.frontier then return { 'not_called' } end
  local why = refusal()
  if take and not why then
    local ends = begin_session(visitor, sequence, span, longest)
    leave_line(sequence, 'spent')
    return { 'admitted', room.now, ends }
  end
  local missed = hear(sequence, not why)
  if why then return { 'refused', why[1], why[2] } end
  if missed then
    leave_line(sequence, 'gone')
    return { 'missed' }
  end
  return { 'offered' }
end

local answers = {}
for i = 13, #ARGV, 3 do
  answers[#answers + 1] = claim(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == '1')
end
return finish(answers)
