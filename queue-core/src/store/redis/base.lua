-- Every step begins here: the room as it is kept.
-- KEYS[1] the room, `usher:{name}`. ARGV[1..10]: seen life, version, last, frontier, claims, steps; the latest that shared
-- time can be and when the call expires by the host's clock, in ms (0: none); the host's time in ms ('': ask TIME);
-- which server this is ('': not known). The step's own arguments begin at ARGV[11].
-- All numbers are integers below 2^53; places and marks are scores, epoch * 2^31 + sequence. All keys of a room share its hash
-- tag.
local LEEWAY = 2000
local DRIFT = 100
local LONGEST_GAP = 2000
local CHUNK = 1048576
local SEQUENCES = 2147483648
local PARTS = 60000
local LOG_LENGTH = 1000

local function key(suffix) return KEYS[1] .. ':' .. suffix end
local function show(number) return string.format('%.0f', number) end

local function host_time()
  local host = tonumber(ARGV[9])
  if host then return host end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local FIELDS = { 'life', 'version', 'last', 'frontier', 'claims', 'steps', 'now', 'spare', 'host', 'served', 'tokens',
  'tokens_at', 'total', 'rate', 'burst', 'max_line', 'queue_all', 'opens', 'closes', 'limits_version', 'operator',
  'source_at', 'paused', 'began', 'hold_until', 'held', 'collect_until', 'unknown_most', 'unknown_carried', 'unknown_all',
  'unknown_until', 'unknown_known', 'unknown_seen' }
-- What is no number: earlier lives as `start:last,start:last`, and the server that gave the places.
local TEXTS = { 'past', 'server' }

local function load()
  local names = {}
  for _, name in ipairs(FIELDS) do names[#names + 1] = name end
  for _, name in ipairs(TEXTS) do names[#names + 1] = name end
  local values = redis.call('HMGET', key('state'), unpack(names))
  if not values[1] then return nil end
  local room = {}
  for i, name in ipairs(names) do room[name] = i <= #FIELDS and tonumber(values[i]) or values[i] end
  return room
end

local room = load()

local function mark()
  return { room.life, room.version, room.last, room.frontier, room.claims, room.steps, room.now, room.host }
end

local function is_behind()
  local life = tonumber(ARGV[1])
  return room.life < life or room.life == life and (room.version < tonumber(ARGV[2]) or room.last < tonumber(ARGV[3])
    or room.frontier < tonumber(ARGV[4]) or room.claims < tonumber(ARGV[5])
    or room.steps < tonumber(ARGV[6]))
end

local function is_moved() return ARGV[10] ~= '' and room.server ~= '' and room.server ~= ARGV[10] end
