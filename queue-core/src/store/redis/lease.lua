-- Leases tokens of one limit; the rules are those of `limit/lease.rs`, the model is `memory/lease.rs`.
-- KEYS[1] the limit, `usher:{name}`. ARGV[7] the latest that shared time can be in ms (0: not known), [9] the host's time in ms
-- ('': ask TIME), [10] which server this is ('': not known); [11] the gateway, [12] the life it knows, [13] tokens that come back
-- in [14] microseconds, [15] burst, [16] how long a lease counts and [17] a gateway is a member, in ms, [18] the most buckets to
-- forget; then for each question: key, number, held, back, want.
-- All numbers are integers below 2^53. A bucket's key is `usher:{name}:limit:<key>`; all keys share the hash tag.
local DRIFT = 100
-- A limit that nobody uses any more leaves nothing behind.
local ABANDONED_MS = 7 * 24 * 3600 * 1000
local META = KEYS[1] .. ':limit'
local RESTS = KEYS[1] .. ':limit:rests'
local GATEWAY, KNOWN = ARGV[11], tonumber(ARGV[12])
local TOKENS, PERIOD, BURST = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local COUNTED, MEMBER = tonumber(ARGV[16]), tonumber(ARGV[17])
local CAPACITY, PER_MS = BURST * PERIOD, TOKENS * 1000

local function show(number) return string.format('%.0f', number) end
local function pot_key(key) return KEYS[1] .. ':limit:' .. key end

local host = tonumber(ARGV[9])
if not host then
  local time = redis.call('TIME')
  host = time[1] * 1000 + math.floor(time[2] / 1000)
end
local server = ARGV[10]
-- A cluster's client does not tell which of its nodes it talks to.
if server == '' then server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or '' end

local meta, members = {}, {}
local fields = redis.call('HGETALL', META)
for i = 1, #fields, 2 do
  local gateway = string.match(fields[i], '^g:(.+)')
  if gateway then members[gateway] = tonumber(fields[i + 1]) else meta[fields[i]] = fields[i + 1] end
end
local life, born, now, spare, seen = tonumber(meta.life), tonumber(meta.born), tonumber(meta.now), tonumber(meta.spare),
  tonumber(meta.host)
if not life or meta.server ~= server or life < KNOWN then
  redis.call('DEL', META, RESTS)
  life = math.max(host, math.max(life or 0, KNOWN) + 1)
  born, now, spare, seen, members = host, host, 0, host, {}
end

-- Shared time, as in `caller.rs`. By the word of somebody who knows nothing of this life none passes.
local step, latest = math.max(0, host - seen), tonumber(ARGV[7])
if latest > 0 and KNOWN == life then
  local believed = now + step
  now = math.max(now, math.min(believed, latest))
  spare = spare + believed - now
  local recovered = math.min(spare, math.max(0, latest - DRIFT - now))
  now, spare = now + recovered, spare - recovered
else
  spare = spare + step
end

for gateway, until_then in pairs(members) do
  if until_then <= now then
    members[gateway] = nil
    redis.call('HDEL', META, 'g:' .. gateway)
  end
end
members[GATEWAY] = now + MEMBER
local gateways = 0
for _ in pairs(members) do gateways = gateways + 1 end
redis.call('HSET', META, 'life', show(life), 'born', show(born), 'server', server, 'now', show(now), 'spare', show(spare),
  'host', show(host), 'g:' .. GATEWAY, show(members[GATEWAY]))
redis.call('PEXPIRE', META, ABANDONED_MS)

local function unspent(pot)
  local sum = 0
  for _, lease in pairs(pot.leases) do sum = sum + lease.unspent end
  return sum
end

local function fill(pot, to)
  local room = math.max(0, CAPACITY - unspent(pot) * PERIOD)
  pot.parts = math.min(pot.parts + math.max(0, to - pot.at) * PER_MS, room)
  pot.at = math.max(pot.at, to)
end

local function load(key)
  local pot = { leases = {}, gone = {} }
  local values = redis.call('HGETALL', pot_key(key))
  for i = 1, #values, 2 do
    local gateway = string.match(values[i], '^g:(.+)')
    if gateway then
      local number, granted, left, until_then = string.match(values[i + 1], '(%d+),(%d+),(%d+),(%d+)')
      pot.leases[gateway] =
        { number = tonumber(number), granted = tonumber(granted), unspent = tonumber(left), till = tonumber(until_then) }
    else
      pot[values[i]] = tonumber(values[i + 1])
    end
  end
  if pot.life == life then return pot end
  redis.call('DEL', pot_key(key))
  return { parts = math.min((now - born) * PER_MS, CAPACITY), period = PERIOD, at = now, leases = {}, gone = {} }
end

local function pass(pot)
  if pot.period ~= PERIOD then pot.parts = math.floor(pot.parts / pot.period) * PERIOD end
  local ends = {}
  for gateway, lease in pairs(pot.leases) do
    if lease.till <= now then ends[#ends + 1] = { gateway, lease.till } end
  end
  table.sort(ends, function(a, b) return a[2] < b[2] end)
  for _, ended in ipairs(ends) do
    fill(pot, ended[2])
    pot.leases[ended[1]] = nil
    pot.gone[#pot.gone + 1] = 'g:' .. ended[1]
  end
  fill(pot, now)
end

local function wait(pot, granted)
  if granted > 0 or pot.parts >= PERIOD then return 0 end
  return math.ceil(math.ceil((PERIOD - pot.parts) / TOKENS) / 1000)
end

local function grant(pot, number, held, back, want)
  local before = pot.leases[GATEWAY]
  if before and number < before.number then return { 0, 0, COUNTED } end
  if before and number == before.number then
    return { before.granted, before.unspent - before.granted, wait(pot, before.granted) }
  end
  local left = before and before.unspent or 0
  local kept = math.min(held, left)
  -- Under a burst that was made smaller not all that comes back may have room.
  local room = math.max(0, CAPACITY - (unspent(pot) - left + kept) * PERIOD)
  pot.parts = math.min(pot.parts + math.min(back, left - kept) * PERIOD, room)
  -- Each takes its part of what is there.
  local granted = math.min(want, math.ceil(math.floor(pot.parts / PERIOD) / gateways))
  pot.parts = pot.parts - granted * PERIOD
  pot.leases[GATEWAY] = { number = number, granted = granted, unspent = kept + granted, till = now + COUNTED }
  return { granted, kept, wait(pot, granted) }
end

local function save(key, pot)
  local name, ends = pot_key(key), 0
  for _, lease in pairs(pot.leases) do ends = math.max(ends, lease.till) end
  if #pot.gone > 0 then redis.call('HDEL', name, unpack(pot.gone)) end
  redis.call('HSET', name, 'life', show(life), 'parts', show(pot.parts), 'period', show(PERIOD), 'at', show(pot.at))
  local own = pot.leases[GATEWAY]
  if own then
    local text = show(own.number) .. ',' .. show(own.granted) .. ',' .. show(own.unspent) .. ',' .. show(own.till)
    redis.call('HSET', name, 'g:' .. GATEWAY, text)
  end
  redis.call('PEXPIRE', name, ABANDONED_MS)
  local full = math.ceil(math.ceil((CAPACITY - pot.parts) / TOKENS) / 1000)
  redis.call('ZADD', RESTS, show(math.max(pot.at, ends) + full), key)
  redis.call('PEXPIRE', RESTS, ABANDONED_MS)
end

local grants = {}
for i = 19, #ARGV, 5 do
  if now < born + COUNTED then
    -- Leases of an earlier life may still be spent.
    grants[#grants + 1] = { 0, 0, born + COUNTED - now }
  else
    local pot = load(ARGV[i])
    pass(pot)
    grants[#grants + 1] =
      grant(pot, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
    save(ARGV[i], pot)
  end
end

-- A bucket that is full, with nothing leased, is the same as none.
local resting = redis.call('ZRANGEBYSCORE', RESTS, '-inf', show(now), 'LIMIT', 0, tonumber(ARGV[18]))
for _, key in ipairs(resting) do
  redis.call('DEL', pot_key(key))
  redis.call('ZREM', RESTS, key)
end
return { 'leased', life, now, host, gateways, grants }
