-- Two bits per place, and leaving the line.
local names = { gone = {}, spent = {} }
local function bit(kind, sequence)
  local index = sequence - 1
  local offset = index % CHUNK
  local first = index - offset
  local name = names[kind][first]
  if not name then
    name = key(kind .. ':' .. show(room.epoch) .. ':' .. show(first / CHUNK))
    names[kind][first] = name
  end
  return name, offset
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

local LINE, CALLED, WINDOW = key('line'), key('called'), key('window')

-- A place that never was in the line: straight in.
local function spend_new(sequence)
  set('spent', sequence, 1)
  note('s', show(sequence))
end

local function leave_line(sequence, kind)
  local score = score_of(sequence)
  redis.call('ZREMRANGEBYSCORE', LINE, score, score)
  -- Only the called have a turn to forget.
  if sequence <= room.frontier then
    redis.call('ZREM', CALLED, show(sequence))
    redis.call('HDEL', WINDOW, show(sequence))
  end
  if kind == 'spent' then
    set('gone', sequence, 0)
    set('spent', sequence, 1)
    note('s', show(sequence))
  else
    set('gone', sequence, 1)
    note('g', show(sequence))
  end
end
