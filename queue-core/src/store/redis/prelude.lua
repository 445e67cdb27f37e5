-- Every step begins here: the fence against a store that is behind, and shared time.
-- KEYS[1] the room, `usher:{name}`. ARGV[1..8]: seen epoch, version, last, frontier, claims; latest and expiry of shared
-- time in ms (0: none); the host's time in ms ('': ask TIME). The step's own arguments begin at ARGV[9].
-- All numbers are integers below 2^53. All keys of a room share its hash tag.
local LEEWAY = 2000
local DRIFT = 100
local CHUNK = 1048576
local SEQUENCES = 2147483648
local PARTS = 60000
local LOG_LENGTH = 1000

local function key(suffix) return KEYS[1] .. ':' .. suffix end
local function show(number) return string.format('%.0f', number) end

local FIELDS = { 'epoch', 'version', 'last', 'frontier', 'claims', 'now', 'spare', 'host', 'tokens', 'tokens_at', 'total', 'rate',
  'burst', 'max_line', 'queue_all', 'opens', 'closes', 'limits_version', 'operator', 'source_at', 'paused', 'hold_until' }
local room = {}
do
  local values = redis.call('HMGET', key('state'), unpack(FIELDS))
  if not values[1] then return { 'absent' } end
  for i, name in ipairs(FIELDS) do room[name] = tonumber(values[i]) end
end

local function mark() return { room.epoch, room.version, room.last, room.frontier, room.claims, room.now } end

do
  local epoch = tonumber(ARGV[1])
  local behind = room.epoch == epoch and (room.version < tonumber(ARGV[2]) or room.last < tonumber(ARGV[3])
    or room.frontier < tonumber(ARGV[4]) or room.claims < tonumber(ARGV[5]))
  if room.epoch < epoch or behind then return { 'behind', mark() } end

  local host = tonumber(ARGV[8])
  if not host then
    local time = redis.call('TIME')
    host = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local latest, expires = tonumber(ARGV[6]), tonumber(ARGV[7])
  local believed = room.now + math.max(0, host - room.host)
  local now = believed
  if latest > 0 then
    -- As in `caller.rs`: what nobody can vouch for is spare, until a caller saw it pass.
    now = math.max(room.now, math.min(believed, latest))
    local spare = room.spare + believed - now
    local recovered = math.min(spare, math.max(0, latest - DRIFT - now))
    now, room.spare = now + recovered, spare - recovered
  end
  room.now, room.host = now, host
  if expires > 0 and believed > expires then
    redis.call('HSET', key('state'), 'now', show(now), 'spare', show(room.spare), 'host', show(host))
    return { 'late', now }
  end
end

-- What others must hear of: pairs of a letter and a value, one stream entry a step. l: places given up to; f: called up
-- to; s, g, w: place spent, gone, waiting again; e: visitor and end of an ended session; c: limits or pause changed.
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
  if #events > 0 then
    room.version = room.version + 1
    redis.call('XADD', key('log'), 'MAXLEN', '~', LOG_LENGTH, show(room.version) .. '-0', unpack(events))
  end
  redis.call('HSET', key('state'), 'version', show(room.version), 'last', show(room.last),
    'frontier', show(room.frontier), 'claims', show(room.claims), 'now', show(room.now), 'spare', show(room.spare),
    'host', show(room.host), 'tokens', show(room.tokens), 'tokens_at', show(room.tokens_at))
  return { 'ok', mark(), answer }
end
