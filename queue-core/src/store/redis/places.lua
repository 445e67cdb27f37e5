-- Two bits per place, and leaving the line.
local function bit(kind, sequence)
  local index = sequence - 1
  return key(kind .. ':' .. show(room.epoch) .. ':' .. show(math.floor(index / CHUNK))), index % CHUNK
end

local function is_set(kind, sequence)
  local name, offset = bit(kind, sequence)
  return redis.call('GETBIT', name, offset) == 1
end

local function set(kind, sequence, value)
  local name, offset = bit(kind, sequence)
  redis.call('SETBIT', name, offset, value)
end

local function split(score)
  return math.floor(score / SEQUENCES), score % SEQUENCES
end

local function score_of(sequence) return show(room.epoch * SEQUENCES + sequence) end

local function forget_turn(sequence)
  redis.call('ZREM', key('called'), show(sequence))
  redis.call('HDEL', key('window'), show(sequence))
end

local function leave_line(sequence, kind)
  local score = score_of(sequence)
  redis.call('ZREMRANGEBYSCORE', key('line'), score, score)
  forget_turn(sequence)
  if kind == 'spent' then
    set('gone', sequence, 0)
    set('spent', sequence, 1)
    note('s', show(sequence))
  else
    set('gone', sequence, 1)
    note('g', show(sequence))
  end
end
