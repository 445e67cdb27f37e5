-- Two bits per place, and leaving the line.
local names = { gone = {}, spent = {} }
local function bit(kind, score)
  local index = score % SEQUENCES - 1
  local offset = index % CHUNK
  local first = score - offset
  local name = names[kind][first]
  if not name then
    name = key(kind .. ':' .. show(math.floor(score / SEQUENCES)) .. ':' .. show((index - offset) / CHUNK))
    names[kind][first] = name
  end
  return name, offset
end

local function is_set(kind, score)
  local name, offset = bit(kind, score)
  return redis.call('GETBIT', name, offset) == 1
end

local function set(kind, score, value)
  local name, offset = bit(kind, score)
  redis.call('SETBIT', name, offset, value)
end

-- The lives and what they gave, ascending; the one that gives places now is last.
local function stretches()
  local all = {}
  for start, last in string.gmatch(room.past, '(%d+):(%d+)') do
    all[#all + 1] = { start = tonumber(start), last = tonumber(last) }
  end
  all[#all + 1] = { start = room.life, last = room.last }
  return all
end

-- Whether a place is known to have been given.
local function is_known(score)
  if score > room.life then return score <= room.last end
  if room.past == '' then return false end
  for _, stretch in ipairs(stretches()) do
    if score > stretch.start and score <= stretch.last then return true end
  end
  return false
end

local LINE, CALLED, WINDOW = key('line'), key('called'), key('window')

-- A place that never was in the line: straight in.
local function spend_new(score)
  set('spent', score, 1)
  note('s', show(score))
end

local function take_out(score)
  local text = show(score)
  redis.call('ZREMRANGEBYSCORE', LINE, text, text)
  -- Only the called have a turn to forget.
  if score <= room.frontier then
    redis.call('ZREM', CALLED, text)
    redis.call('HDEL', WINDOW, text)
  end
end

local function leave_line(score, kind)
  take_out(score)
  if kind == 'spent' then
    set('gone', score, 0)
    set('spent', score, 1)
    note('s', show(score))
  else
    set('gone', score, 1)
    note('g', show(score))
  end
end

local function put_back(visitor, score)
  set('gone', score, 0)
  redis.call('ZADD', LINE, show(score), visitor)
  note('w', show(score))
end

-- Whether the epoch has no further place.
local function is_used_up() return room.last % SEQUENCES == SEQUENCES - 1 end
