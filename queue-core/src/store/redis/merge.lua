-- What a gateway remembers: begins a new life where data was lost or lags, else adds what is missing. As in `room/merge.rs`.
-- ARGV from 11: the limits (limits.lua); [20] their version and [21] the pause; [22] begin, resume or add, [23] the life,
-- [24] the first version remembered; [25] memory or token; [26] how long calls are held, in ms; [27] most claims seen, [28] the
-- most that may be inside (-1: nobody knows), [29] the latest end of a session; [30] shared time by the gateway (0: unknown),
-- [31] the frontier, [32] how long arrivals are collected, in ms; [33] when the most was seen (0: unknown).
-- Then lists, each after its length: lives (life, last, chunks with number and bits), places spent, joins (visitor, place),
-- sessions (visitor, place, start, end), unconfirmed ones, ended sessions (visitor, until).
local at = 33
local function next_argument()
  at = at + 1
  return ARGV[at]
end
local function next_number() return tonumber(next_argument()) end

local ask, life = ARGV[22], tonumber(ARGV[23])
local hold, memory = tonumber(ARGV[26]), ARGV[25] == 'memory'

local past = {}
for i = 1, next_number() do
  past[i] = { start = next_number(), last = next_number(), chunks = {} }
  for c = 1, next_number() do past[i].chunks[c] = { number = next_argument(), bits = next_argument() } end
end

local lives = {}
local function keep_lives()
  local texts = {}
  for i = 1, #lives - 1 do texts[i] = show(lives[i].start) .. ':' .. show(lives[i].last) end
  room.past = table.concat(texts, ',')
end

-- Bits of the places after `from` up to `to`, all in one life, are set: whole bytes at once.
local function lose(from, to)
  local score = from + 1
  while score <= to do
    local name, offset = bit('gone', score)
    local stop = math.min(to, score - offset + CHUNK - 1)
    local count = stop - score + 1
    while count > 0 and (offset % 8 ~= 0 or count < 8) do
      redis.call('SETBIT', name, offset, 1)
      offset, count = offset + 1, count - 1
    end
    local bytes = math.floor(count / 8)
    if bytes > 0 then redis.call('SETRANGE', name, offset / 8, string.rep('\255', bytes)) end
    for rest = offset + bytes * 8, offset + count - 1 do redis.call('SETBIT', name, rest, 1) end
    score = stop + 1
  end
end

-- What every new life begins with: an empty bucket, calls held, and whoever is known to be inside.
local function live_on()
  room.version = 0
  room.began = room.now
  room.tokens, room.tokens_at = 0, room.now
  room.hold_until = math.max(room.hold_until, room.now + hold)
  room.held = 1
  local collect = tonumber(ARGV[32])
  if collect > 0 then room.collect_until = math.max(room.collect_until, room.now + collect) end
  room.unknown_carried = unknown()
  room.unknown_most, room.unknown_all, room.unknown_seen = -1, 0, 0
  room.claims = math.max(room.claims, tonumber(ARGV[27]))
  room.unknown_known = redis.call('ZCOUNT', key('active'), '(' .. show(room.now - LEEWAY), '+inf')
  room.server = ARGV[10]
  redis.call('UNLINK', key('log'), key('periods'))
  redis.call('HDEL', key('state'), 'searched', 'swept')
end

local merged = 'added'
if not room then
  local host, expires = host_time(), tonumber(ARGV[8])
  if ask ~= 'begin' then return { 'absent' } end
  -- Nobody but the caller knows what time it is.
  if expires > 0 and host > expires then return { 'late', tonumber(ARGV[7]) - DRIFT, host } end
  merged = 'began'
  local now = tonumber(ARGV[30]) > 0 and tonumber(ARGV[30]) or host
  room = { life = life, version = 0, last = life, frontier = 0, claims = 0, steps = 0, now = now, spare = 0, host = host,
    served = now, tokens = 0, tokens_at = now, total = tonumber(ARGV[11]), rate = tonumber(ARGV[12]), burst = tonumber(ARGV[13]),
    max_line = tonumber(ARGV[14]), queue_all = tonumber(ARGV[15]), opens = tonumber(ARGV[16]), closes = tonumber(ARGV[17]),
    limits_version = math.max(1, tonumber(ARGV[20])), operator = ARGV[18] == 'operator' and 1 or 0,
    source_at = tonumber(ARGV[19]), paused = tonumber(ARGV[21]), began = now, hold_until = 0, held = 0, collect_until = 0,
    unknown_most = -1, unknown_carried = 0, unknown_all = 0, unknown_until = 0, unknown_known = 0,
    unknown_seen = 0, past = '', server = ARGV[10] }
  live_on()
  lives = stretches()
else
  local behind, moved, disproved = is_behind(), is_moved(), false
  for _, told in ipairs(past) do disproved = disproved or told.last > room.last end
  local follows = life > room.life and life >= room.last
  if ask == 'begin' and (behind or moved or disproved) and follows then
    merged = 'began'
  elseif ask == 'resume' and (behind or moved) and follows then
    local seen = tonumber(ARGV[1])
    if seen > room.life or seen == room.life and room.version < tonumber(ARGV[24]) then return { 'behind', mark() } end
    merged = 'resumed'
  elseif behind then
    return { 'behind', mark() }
  elseif moved then
    return { 'moved', mark() }
  end
  local late = pass_time()
  if late then return late end
  lives = stretches()
  if merged ~= 'added' then
    -- The clock of the server that took over may have been set back since the copy was made.
    room.now = math.max(room.now, tonumber(ARGV[30]))
    room.served = room.now
    if merged == 'began' then
      redis.call('UNLINK', LINE, CALLED, WINDOW)
      for _, stretch in ipairs(lives) do lose(stretch.start, stretch.last) end
    end
    lives[#lives + 1] = { start = life, last = life }
    room.life, room.last = life, life
    keep_lives()
    live_on()
  elseif memory then
    -- Shared time never goes back, whichever store showed it. Nothing that the leap left out counts.
    local remembered = tonumber(ARGV[30])
    if remembered > room.now then
      refill()
      local before = room.now
      room.now, room.served, room.tokens_at = remembered, remembered, remembered
      hold_longer(before)
    end
  end
end

-- It comes to be known that an earlier life gave places up to `last`. Those not known of before are out of the line until heard.
local function learn(start, last)
  local before = 0
  for i, stretch in ipairs(lives) do
    if stretch.start <= start then before = i end
  end
  local next = lives[before + 1]
  local same_epoch = math.floor(last / SEQUENCES) == math.floor(start / SEQUENCES)
  if not next or last > next.start or last <= start or not same_epoch then return false end
  local known = lives[before]
  if known and (known.start == start or known.last > start) then
    if last <= known.last then return false end
    lose(known.last, last)
    known.last = last
  else
    table.insert(lives, before + 1, { start = start, last = last })
    lose(start, last)
  end
  return true
end

local function forget_place(score)
  set('spent', score, 1)
  take_out(score)
end

-- Spends what a bitmap of an earlier life says. Those of them who wait are taken out one by one: few, since everybody who was
-- there when the life ended told of nearly the same.
local function spend(start, number, bits)
  local stretch
  for _, one in ipairs(lives) do
    if one.start <= start then stretch = one end
  end
  if not stretch then return end
  local first = math.floor(stretch.start / SEQUENCES) * SEQUENCES + number * CHUNK + 1
  local count = math.min(CHUNK, stretch.last - first + 1, #bits * 8)
  if first <= stretch.start or count <= 0 then return end
  bits = string.sub(bits, 1, math.ceil(count / 8))
  if count % 8 ~= 0 then
    local keep = 256 - 2 ^ (8 - count % 8)
    local tail = string.byte(bits, #bits)
    bits = string.sub(bits, 1, -2) .. string.char(tail - tail % (256 - keep))
  end
  local spent, gone = bit('spent', first), bit('gone', first)
  local told, fresh = key('told'), key('fresh')
  redis.call('SET', told, bits)
  if redis.call('ZCARD', LINE) > 0 then
    redis.call('BITOP', 'AND', fresh, told, spent)
    redis.call('BITOP', 'XOR', fresh, told, fresh)
    local out = key('out')
    redis.call('BITOP', 'AND', out, fresh, gone)
    redis.call('BITOP', 'XOR', fresh, fresh, out)
    local offset = redis.call('BITPOS', fresh, 1)
    while offset >= 0 do
      take_out(first + offset)
      redis.call('SETBIT', fresh, offset, 0)
      offset = redis.call('BITPOS', fresh, 1, math.floor(offset / 8))
    end
    redis.call('UNLINK', fresh, out)
  end
  redis.call('BITOP', 'OR', spent, spent, told)
  redis.call('UNLINK', told)
end

local control = tonumber(ARGV[20])
if control > room.limits_version then
  refill()
  for i, name in ipairs({ 'total', 'rate', 'burst', 'max_line', 'queue_all', 'opens', 'closes' }) do
    room[name] = tonumber(ARGV[10 + i])
  end
  refill()
  room.limits_version = control
  room.operator = ARGV[18] == 'operator' and 1 or 0
  room.source_at = ARGV[18] == 'config' and tonumber(ARGV[19]) or room.now
  room.paused = tonumber(ARGV[21])
end

local held, young = room.held == 1, room.now < room.began + hold
local news = false
for _, told in ipairs(past) do news = learn(told.start, told.last) or news end
keep_lives()
if news and not held and (memory or young) then
  room.hold_until = math.max(room.hold_until, room.now + hold)
  room.held = 1
end
if (memory or news and not held and young) and tonumber(ARGV[29]) > 0 then
  local most = tonumber(ARGV[28])
  if most >= 0 then
    room.unknown_most = math.max(room.unknown_most, most)
    room.unknown_seen = math.max(room.unknown_seen, tonumber(ARGV[33]))
  else
    room.unknown_all = 1
  end
  room.unknown_until = math.max(room.unknown_until, tonumber(ARGV[29]))
end
room.frontier = math.max(room.frontier, math.min(tonumber(ARGV[31]), room.last))
redis.call('HSET', key('state'), 'life', show(room.life), 'epoch', show(math.floor(room.life / SEQUENCES)),
  'total', room.total, 'rate', room.rate, 'burst', room.burst, 'max_line', room.max_line, 'queue_all', room.queue_all,
  'opens', show(room.opens), 'closes', show(room.closes), 'limits_version', show(room.limits_version),
  'operator', room.operator, 'source_at', show(room.source_at), 'paused', room.paused, 'began', show(room.began),
  'hold_until', show(room.hold_until), 'held', room.held, 'collect_until', show(room.collect_until),
  'unknown_most', show(room.unknown_most), 'unknown_carried', show(room.unknown_carried), 'unknown_all', room.unknown_all,
  'unknown_until', show(room.unknown_until), 'unknown_known', room.unknown_known,
  'unknown_seen', show(room.unknown_seen), 'past', room.past, 'server', room.server)

for _, told in ipairs(past) do
  for _, chunk in ipairs(told.chunks) do spend(told.start, tonumber(chunk.number), chunk.bits) end
end
for _ = 1, next_number() do
  local score = next_number()
  if is_known(score) and not is_set('spent', score) then forget_place(score) end
end
local joins = {}
for i = 1, next_number() do joins[i] = { next_argument(), next_number() } end
local found = {}
for i = 1, next_number() do found[i] = { next_argument(), next_number(), next_number(), next_number() } end
for _ = 1, next_number() do
  local session = { next_argument(), next_number(), next_number(), next_number() }
  if room.now < room.hold_until then found[#found + 1] = session end
end
for _ = 1, next_number() do
  local visitor, till = next_argument(), next_number()
  if till + LEEWAY > room.now and not redis.call('ZSCORE', key('ended'), visitor) then
    local row = redis.call('HGET', key('sessions'), visitor)
    -- None of those who were inside when this life began.
    if row and was_inside(tonumber(string.match(row, '^(%d+):'))) then
      room.unknown_known = math.max(0, room.unknown_known - 1)
      redis.call('HSET', key('state'), 'unknown_known', room.unknown_known)
    end
    remember_end(visitor, till)
  end
end
for _, session in ipairs(found) do
  local visitor, score, started, ends = unpack(session)
  find_session(visitor, started, ends, score)
  if is_known(score) and not is_set('spent', score) then forget_place(score) end
end
for _, join in ipairs(joins) do
  local visitor, score = unpack(join)
  local lost = is_known(score) and is_set('gone', score) and not is_set('spent', score)
  if lost and not redis.call('ZSCORE', LINE, visitor) and not live(visitor) then put_back(visitor, score) end
end
-- Whoever is called and never comes leaves the line again.
local called = redis.call('ZRANGEBYSCORE', LINE, '-inf', show(room.frontier), 'WITHSCORES')
for i = 2, #called, 2 do redis.call('ZADD', CALLED, 'NX', show(room.now), show(tonumber(called[i]))) end
note('r', '')
return finish(merged)
