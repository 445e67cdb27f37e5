-- What others must hear of: pairs of a letter and a value, one stream entry a step. l: places given up to; f: called up
-- to; s, g, w: place spent, gone, waiting again; e: visitor and end of an ended session; c: limits or pause changed; r: read
-- everything anew.
local events = {}
local function note(letter, value)
  events[#events + 1] = letter
  events[#events + 1] = value
end

-- Of "given up to" and "called up to" the last one of a step says it all.
local said = {}
local function note_latest(letter, value)
  if said[letter] then
    events[said[letter]] = value
  else
    note(letter, value)
    said[letter] = #events
  end
end

local function finish(answer)
  room.steps = room.steps + 1
  if #events > 0 then
    room.version = room.version + 1
    redis.call('XADD', key('log'), 'MAXLEN', '~', LOG_LENGTH, show(room.version) .. '-0', unpack(events))
  end
  redis.call('HSET', key('state'), 'version', show(room.version), 'last', show(room.last),
    'frontier', show(room.frontier), 'claims', show(room.claims), 'steps', show(room.steps), 'now', show(room.now),
    'spare', show(room.spare), 'host', show(room.host), 'served', show(room.served),
    'tokens', show(room.tokens), 'tokens_at', show(room.tokens_at))
  return { 'ok', mark(), answer }
end

-- An operator's word is numbered by its time: of words spoken on two copies of a room the later one then has the higher version,
-- and any has a higher one than what configs said. Also one that changes nothing here: elsewhere it may.
local function number_word()
  room.limits_version = math.max(room.limits_version + 1, room.now)
  note('c', '')
end
